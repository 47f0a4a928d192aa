/*
 * libFuzzer's target for the configuration file: whatever the bytes are, the reader ends with
 * settings or with faults, and settings that are printed read back to the same print.
 *
 * clang -fsanitize=fuzzer,address,undefined, linked with the floors 0 and 1; seeds are in
 * corpus/config.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"
#include "faults.h"
#include "settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct settings *settings, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	config_file_print(settings, out);
	fclose(out);
	return text;
}

static void check_round_trip(const struct settings *settings)
{
	struct faults faults = {0};
	size_t length, again_length;
	char *text = print(settings, &length), *again;
	struct settings *copy = config_file_parse("/fuzz/other.ini", text, length, &faults);

	if (!copy || faults.errors > 0)
		abort();
	again = print(copy, &again_length);
	if (length != again_length || memcmp(text, again, length) != 0)
		abort();
	settings_free(copy);
	faults_free(&faults);
	free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct faults faults = {0};
	struct settings *settings =
		config_file_parse("/fuzz/fuzz.ini", (const char *)data, size, &faults);

	if (!settings)
		abort();
	if (faults.errors == 0)
		check_round_trip(settings);
	settings_free(settings);
	faults_free(&faults);
	return 0;
}
