"""Graphs of tasks on engines that span machines: what a task asks for, tasks of one job, journals, SLURM and Ray."""
