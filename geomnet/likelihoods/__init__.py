r"""Likelihoods p(y|z): Fisher factor, closed Fisher–Rao distance and geodesic, loss.

For parameters :math:`z \in \mathbb R^C` the Fisher matrix is
:math:`F(z) = \mathbb E_y[∂_z\log p\,∂_z\log p^\top] = S^\top S`. The Riemannian metric it
defines has a closed geometry for every family here (Rao 1945; Atkinson & Mitchell 1981):

=========================  =======================================  ==========================
family                     parameters z                             geometry
=========================  =======================================  ==========================
``Categorical(C)``         logits, modulo a common shift            sphere of radius 2, by 2√p
``Bernoulli(dim)``         logits                                   intervals of length π
``Gaussian(sigma, dim)``   means                                    Euclidean / σ
``HeteroscedasticGaussian``  means and log σ                        hyperbolic planes, K = −1/2
=========================  =======================================  ==========================

Products of independent outputs add squared distances. All methods take leading axes.
"""

from .base import Likelihood, SquaredDistance
from .bernoulli import Bernoulli
from .categorical import Categorical
from .gaussian import Gaussian, HeteroscedasticGaussian

__all__ = [
    "Bernoulli",
    "Categorical",
    "Gaussian",
    "HeteroscedasticGaussian",
    "Likelihood",
    "SquaredDistance",
]
