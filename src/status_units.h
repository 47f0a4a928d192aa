#ifndef PREFORKD_STATUS_UNITS_H
#define PREFORKD_STATUS_UNITS_H
/* Numbers in units that people read: short, and good enough to compare. Floor 0. */
#include <stdint.h>

#define STATUS_UNIT_BYTES 24

/* 0.2s, 42s, 5m12s, 1h02m, 3d04h: six characters up to 999 days. */
void status_duration(char text[STATUS_UNIT_BYTES], double seconds);
/* 512, 5.0M, 128M, 1.2G: five characters. */
void status_size(char text[STATUS_UNIT_BYTES], double bytes);
/* 123456, 1.23M, 45.6M, 1.2G: six characters. */
void status_count(char text[STATUS_UNIT_BYTES], double count);
/* 0.03, 87.2, 1234. */
void status_rate(char text[STATUS_UNIT_BYTES], double per_second);

#endif
