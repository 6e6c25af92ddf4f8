"""The script that a Stable-Baselines3 user writes for P1; P9 and P10 time it as a process.

    python sb3_script.py ENV_ID TOTAL_TIMESTEPS SEED MODEL_FILE

Its settings are the library's defaults, which are those of P1. Prints the mean return of the
last 100 training episodes.
"""

import sys

from stable_baselines3 import PPO

env_id, total_timesteps, seed, model_file = sys.argv[1:]
model = PPO("MlpPolicy", env_id, seed=int(seed), device="cpu")
model.learn(int(total_timesteps))
model.save(model_file)
returns = [episode["r"] for episode in model.ep_info_buffer]
print(sum(returns) / len(returns))
