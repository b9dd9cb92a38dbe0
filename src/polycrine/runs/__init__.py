"""One run or many: progress, checkpoints, resume, folder."""
