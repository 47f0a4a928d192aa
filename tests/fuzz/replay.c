/*
 * Runs a fuzz target (fuzz_X.c) without a fuzzer: once with each file of its corpus, once with
 * nothing. So `make check` repeats, with any compiler, what a fuzzer once found. With arguments it
 * runs those files instead.
 */
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX_BYTES (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *path)
{
	uint8_t *whole = malloc(INPUT_MAX_BYTES), *exact;
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!whole || !file) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	size = fread(whole, 1, INPUT_MAX_BYTES, file);
	fclose(file);
	exact = malloc(size ? size : 1); /* so that a sanitizer sees a byte too many */
	if (!exact)
		exit(EXIT_FAILURE);
	memcpy(exact, whole, size);
	free(whole);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

/* The corpus of fuzz_X is corpus/X. */
static size_t replay_corpus(const char *program)
{
	const char *source = getenv("srcdir"), *name = strrchr(program, '_');
	char pattern[4096];
	glob_t found = {0};
	size_t count;

	snprintf(pattern, sizeof(pattern), "%s/tests/fuzz/corpus/%s/*", source ? source : ".",
		name ? name + 1 : "");
	glob(pattern, 0, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		replay(found.gl_pathv[i]);
	count = found.gl_pathc;
	globfree(&found);
	return count;
}

int main(int argc, char **argv)
{
	size_t count = argc - 1;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc == 1)
		count = replay_corpus(argv[0]);
	printf("%zu inputs went through\n", count);
	return count ? EXIT_SUCCESS : EXIT_FAILURE;
}
