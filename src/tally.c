/* Counting. The bounds reach from a program that only forks to one that loads a model. */
#include "tally.h"

#define SAMPLE_MS 1000

const double histogram_bound[HISTOGRAM_BOUNDS] = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30};

void histogram_add(struct histogram *histogram, double seconds)
{
	int bucket = 0;

	while (bucket < HISTOGRAM_BOUNDS && seconds > histogram_bound[bucket])
		bucket++;
	histogram->count[bucket]++;
	histogram->sum += seconds;
}

double tally_rate(struct tally *tally, int64_t now_ms)
{
	if (now_ms - tally->last.at_ms >= SAMPLE_MS) {
		tally->before = tally->last;
		tally->last = (struct tally_sample){now_ms, tally->jobs};
	}
	if (tally->before.at_ms == 0 || now_ms <= tally->before.at_ms)
		return 0;
	return (double)(tally->jobs - tally->before.jobs) * 1000 /
	       (double)(now_ms - tally->before.at_ms);
}
