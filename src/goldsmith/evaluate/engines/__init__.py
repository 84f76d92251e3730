"""What can be evaluated: checkpoints, servers, stored scores, judges, and the four engines that are shipped for comparison."""
