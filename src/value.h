#ifndef PREFORKD_VALUE_H
#define PREFORKD_VALUE_H
/*
 * Values as users write them (10s, 64K, yes, 0660, 1024:infinity, 25%), to numbers and back. Each
 * value_parse_X() returns 0, or -1 with the reason in words; *out is untouched then. Each
 * value_format_X() writes a whole number of the largest unit that fits, which parses back to the
 * same. Floor 0.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct errmsg;

#define VALUE_TEXT_BYTES  64                 /* enough for every value_format_X() */
#define DURATION_INFINITE INT64_MAX          /* "infinity", where the option allows it */
#define DURATION_MAX      (INT64_MAX / 1024) /* milliseconds; so sums and doublings do not overflow */

/* 500ms, 10s, 5m, 2h, 1d or plain seconds; fractions allowed (0.25). Milliseconds, rounded, but
 * what is not zero never becomes zero. "infinity" is DURATION_INFINITE. */
int value_parse_duration(int64_t *out_ms, const char *text, struct errmsg *err);
/* 65536, 64K, 256M, 2G (powers of 1024; small letters too). Bytes. */
int value_parse_size(int64_t *out_bytes, const char *text, struct errmsg *err);
int value_parse_int(int64_t *out, const char *text, struct errmsg *err);
/* yes/no, true/false, on/off, 1/0, whatever the case. */
int value_parse_bool(bool *out, const char *text, struct errmsg *err);
/* Octal, 0 to 07777. */
int value_parse_mode(mode_t *out, const char *text, struct errmsg *err);
/* 25 or 25%. */
struct amount {
	int number;
	bool percent;
};
int value_parse_amount(struct amount *out, const char *text, struct errmsg *err);
/* SOFT[:HARD], each a number (with K, M, G for sizes) or infinity; SOFT alone sets both. */
int value_parse_limit(struct rlimit *out, const char *text, struct errmsg *err);
/* "0-3,6 8", "0-30:2" as for taskset(1): sets bits in mask, laid out like a cpu_set_t of mask_bytes
 * (a multiple of a long's). Bits that are set already stay. */
int value_parse_cpus(unsigned char *mask, size_t mask_bytes, const char *text, struct errmsg *err);

void value_format_duration(char text[VALUE_TEXT_BYTES], int64_t duration_ms);
void value_format_size(char text[VALUE_TEXT_BYTES], int64_t bytes);
void value_format_limit(char text[VALUE_TEXT_BYTES], const struct rlimit *limit);

#endif
