"""Where runs are computed: in this process, in several, on a cluster."""
