#ifndef PREFORKD_TOP_CHART_H
#define PREFORKD_TOP_CHART_H
/*
 * Bars and sparklines in numbers: how many cells, how high.
 */
#include <stddef.h>

/* Deals out `width` cells by amount, all of them unless all amounts are 0. What is there at all
 * gets a cell where there are enough. Negative amounts are 0. */
void chart_share(int *cells, const int *amount, size_t parts, int width);

/* From 0 (nothing, or not known) to `levels`; what is there at all is 1 at least. */
int chart_level(double value, double scale, int levels);

#endif
