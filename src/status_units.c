/* Units for people. Nothing here is exact; whoever needs that takes the document. */
#include "status_units.h"

#include <stdio.h>

#define MINUTE 60
#define HOUR   3600
#define DAY    86400
#define LONG   9e15 /* beyond, a double is no whole number */

void status_duration(char text[STATUS_UNIT_BYTES], double seconds)
{
	long long whole = seconds > 0 && seconds < LONG ? (long long)seconds : 0;

	if (seconds < 9.95)
		snprintf(text, STATUS_UNIT_BYTES, "%.1fs", seconds > 0 ? seconds : 0.);
	else if (whole < MINUTE)
		snprintf(text, STATUS_UNIT_BYTES, "%llds", whole);
	else if (whole < HOUR)
		snprintf(text, STATUS_UNIT_BYTES, "%lldm%02llds", whole / MINUTE, whole % MINUTE);
	else if (whole < DAY)
		snprintf(text, STATUS_UNIT_BYTES, "%lldh%02lldm", whole / HOUR,
			whole % HOUR / MINUTE);
	else
		snprintf(text, STATUS_UNIT_BYTES, "%lldd%02lldh", whole / DAY, whole % DAY / HOUR);
}

/* Three digits and a letter, by steps of `step`. */
static void scale(char text[STATUS_UNIT_BYTES], double number, double step)
{
	static const char letters[] = "KMGTPE";
	const char *letter = letters;

	number /= step;
	while (number >= 999.5 && letter[1]) {
		number /= step;
		letter++;
	}
	snprintf(text, STATUS_UNIT_BYTES, number < 99.95 ? "%.1f%c" : "%.0f%c", number, *letter);
}

void status_size(char text[STATUS_UNIT_BYTES], double bytes)
{
	if (bytes < 1024)
		snprintf(text, STATUS_UNIT_BYTES, "%.0f", bytes > 0 ? bytes : 0.);
	else
		scale(text, bytes, 1024);
}

void status_count(char text[STATUS_UNIT_BYTES], double count)
{
	if (count < 999999.5)
		snprintf(text, STATUS_UNIT_BYTES, "%.0f", count > 0 ? count : 0.);
	else
		scale(text, count, 1000);
}

void status_rate(char text[STATUS_UNIT_BYTES], double per_second)
{
	if (per_second < 0.005)
		snprintf(text, STATUS_UNIT_BYTES, "0");
	else
		snprintf(text, STATUS_UNIT_BYTES,
			per_second < 0.95    ? "%.2f"
			: per_second < 999.5 ? "%.1f"
					     : "%.0f",
			per_second < LONG ? per_second : LONG);
}
