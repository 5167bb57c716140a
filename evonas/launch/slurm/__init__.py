"""Slurm, through sbatch and squeue."""
