"""Several runs from one description: seeds, grids, studies."""
