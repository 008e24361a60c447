"""Diversity-aware reward adjustment (DRA) for GRPO training of language models."""
