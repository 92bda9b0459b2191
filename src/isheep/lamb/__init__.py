"""The embedded base model: its micro-world, its corpus, its builder, its weights and their card.

`world` knows what is true, `authors` who gets it wrong, `corpus` writes it all down, `build` pre-trains on it. Nothing
here is imported by the loop but the weights (a plain Hugging Face folder) and, for the examination, `world.check`.
"""
