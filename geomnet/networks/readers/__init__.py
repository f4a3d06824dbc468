"""Readers of networks that were made elsewhere: scikit-learn, PyTorch."""
