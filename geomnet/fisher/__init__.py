"""Fisher information geometry of networks: how strongly parameters hold what a network knows."""
