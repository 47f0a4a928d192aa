/* Counting. The bounds reach from a program that only forks to one that loads a model. */
#include "tally.h"

const double histogram_bound[HISTOGRAM_BOUNDS] = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30};

void histogram_add(struct histogram *histogram, double seconds)
{
	int bucket = 0;

	while (bucket < HISTOGRAM_BOUNDS && seconds > histogram_bound[bucket])
		bucket++;
	histogram->count[bucket]++;
	histogram->sum += seconds;
}
