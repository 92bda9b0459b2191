"""How much memory and time a model needs on which GPUs: the arithmetic, and nothing about recipes.

`gpus` is what the makers say of their cards, `shape` what a model is made of, `memory` where the bytes go, `speed` how
long a pass takes, `fit` how a model can be spread over devices, `notes` what a person is told of it. All pure: numbers
in, numbers out; no model is loaded and no GPU is looked for. Estimates: every assumption is a named constant.
"""
