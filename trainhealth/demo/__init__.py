"""The demo: a small convolutional net on scikit-learn's digits, trained for real, healthy or with a chosen illness.

`programs` says what is trained (without torch, so that the list of illnesses is quick); `training` trains it.
"""
