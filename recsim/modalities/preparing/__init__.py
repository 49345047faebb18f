"""Cleaning, imputation, denoising, alignment and fusion of modalities."""
