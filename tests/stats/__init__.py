"""Not named statistics: that would hide the module of the standard library."""
