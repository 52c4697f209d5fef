"""The result stage: sums leave the array, are added up, narrowed, turned into planes and sent."""
