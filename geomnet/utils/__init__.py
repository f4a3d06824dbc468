"""Files, threads, memory, autograd and checks of arguments: what every room may use."""
