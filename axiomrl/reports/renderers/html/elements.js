"use strict";

// Elements, and how values are written. Whatever comes from run files is set as text or as the
// value of an attribute that holds text; nothing is ever parsed as markup.

const MISSING = "–";
const GROUPED = new Intl.NumberFormat("en-US");
let lastNumber = 0;

/** An element with attributes and children; null children are left out, strings become text. */
function element(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function drawing(name, attributes, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(key, value === true ? "" : String(value));
    }
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

function button(text, attributes, act) {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", act);
  return made;
}

/** An id that no other element has. */
function freshId(stem) {
  lastNumber += 1;
  return `${stem}-${lastNumber}`;
}

/** Say something to readers who do not see the page. */
function say(text) {
  document.getElementById("said").textContent = text;
}

/** A number with so many decimals; exact ties go to the even digit, as in the text report. */
function fixed(value, decimals) {
  if (value === null || value === undefined) return MISSING;
  const scaled = Math.abs(value) * 10 ** decimals;
  const isTie = scaled % 1 === 0.5 && (value * 2 ** (decimals + 1)) % 1 === 0;
  if (isTie && Math.floor(scaled) % 2 === 0) {
    return ((Math.sign(value) * Math.floor(scaled)) / 10 ** decimals).toFixed(decimals);
  }
  return value.toFixed(decimals);
}

function signed(value, decimals) {
  return (value >= 0 ? "+" : "") + fixed(value, decimals);
}

function integer(value) {
  return typeof value === "number" ? GROUPED.format(value) : (value ?? MISSING);
}

/** A step or an axis label, short: 20k, 1.5M. */
function short(value) {
  const size = Math.abs(value);
  const [unit, mark] = size >= 1e9 ? [1e9, "B"] : size >= 1e6 ? [1e6, "M"] : [1e3, "k"];
  if (size >= 1e4) return `${Number((value / unit).toPrecision(4))}${mark}`;
  return String(Number(value.toPrecision(4)));
}

/** A time span as 0:07, 12:30 or 3:02:11. */
function clock(seconds) {
  if (typeof seconds !== "number") return MISSING;
  const whole = Math.round(seconds);
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const end = two(whole % 60);
  return hours ? `${hours}:${two(minutes)}:${end}` : `${minutes}:${end}`;
}

function placesText(each) {
  const { rank_low: low, rank_high: high } = each;
  return low === high ? String(low) : `${low}–${high}`;
}

function intervalText(each, decimals) {
  if (each.ci_low === null) return "too few seeds";
  const mark = each.is_undercovered ? " *" : "";
  return `[${fixed(each.ci_low, decimals)}, ${fixed(each.ci_high, decimals)}]${mark}`;
}

function counted(count, noun) {
  return `${integer(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** About `wanted` round numbers from low to high. */
function ticksBetween(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  if (!(last - first < 100)) return [];
  const numbers = [];
  for (let at = first; at <= last; at += 1) numbers.push(Number((at * step).toPrecision(12)));
  return numbers;
}

/** The range of some numbers with room at both ends; equal numbers get room of their own size. */
function rangeOf(numbers, room) {
  let [low, high] = [Infinity, -Infinity];
  for (const number of numbers) {
    if (number === null || number === undefined) continue;
    low = Math.min(low, number);
    high = Math.max(high, number);
  }
  if (low > high) return [0, 1];
  const width = high - low || Math.abs(high) || 1;
  return [low - width * room, high + width * room];
}
