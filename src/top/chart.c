/*
 * Shares of a bar and heights of a sparkline. Its rule: a worker that is there is seen, however
 * many others there are. Pure.
 */
#include "chart.h"

#include <stdint.h>

static int largest(const int *cells, size_t parts)
{
	size_t best = 0;

	for (size_t i = 1; i < parts; i++)
		if (cells[i] > cells[best])
			best = i;
	return (int)best;
}

/* A cell for each that rounding left without, from those that have most. */
static void give_each_one(int *cells, const int *amount, size_t parts)
{
	for (size_t i = 0; i < parts; i++) {
		int rich = largest(cells, parts);

		if (amount[i] <= 0 || cells[i] > 0 || cells[rich] < 2)
			continue;
		cells[rich]--;
		cells[i]++;
	}
}

void chart_share(int *cells, const int *amount, size_t parts, int width)
{
	int64_t total = 0, sum = 0, done = 0;

	for (size_t i = 0; i < parts; i++)
		total += amount[i] > 0 ? amount[i] : 0;
	for (size_t i = 0; i < parts; i++) {
		int64_t end;

		sum += amount[i] > 0 ? amount[i] : 0;
		end = total > 0 && width > 0 ? (sum * width + total / 2) / total : 0;
		cells[i] = (int)(end - done);
		done = end;
	}
	give_each_one(cells, amount, parts);
}

int chart_level(double value, double scale, int levels)
{
	if (!(value > 0) || !(scale > 0))
		return 0;
	if (value >= scale)
		return levels;
	value = value / scale * levels + 0.5;
	return value < 1 ? 1 : (int)value;
}
