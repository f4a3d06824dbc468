"""The geometry that emerges on the computation nodes of a network, and curvature of any graph."""
