"""The five lectures that the recipes come from, as they are cited."""

from __future__ import annotations

PRACTICAL_ASPECTS = 'Lecture "Practical Aspects" (Yujiao Shi, ShanghaiTech, 2025)'
REGULARIZATION = 'Lecture "Regularization" (Yanwei Fu, Fudan University)'
TRAINING_NETWORKS = 'Lecture "Training Networks, Part 1" (Helwan University CS396, after Stanford CS231n)'
OPTIMIZING = 'Lecture "Optimizing Neural Networks" (Ranjay Krishna, 2025)'
UNDER_AND_OVERFITTING = 'Lecture "Underfitting and Overfitting, Regularization, Optimization" (Xiamen University)'
