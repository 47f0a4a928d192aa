#ifndef JOBS_WIRE_H
#define JOBS_WIRE_H
/*
 * The protocol of job workers (PROTOCOL.md): messages are lines of JSON. Addresses are HOST:PORT,
 * [V6]:PORT or unix:PATH, with numbers for HOST.
 */
#include <jansson.h>
#include <stdbool.h>

#define WIRE_LINE_MAX (1 << 20) /* bytes, with its end */
#define WIRE_LIMIT_MS 10000     /* for a line to come, or to be taken */

/* A listening socket, or a connection; -1 with errno. */
int wire_listen(const char *address);
int wire_connect(const char *address);

/* The next line as text without its end, the caller's to free; NULL when the other side went away,
 * was too slow, or sent more than a line may have. */
char *wire_read(int fd, int limit_ms, size_t *length);
/* Sends it as a line, and takes the reference. */
bool wire_write(int fd, json_t *message, int limit_ms);

/* What any of the servers (addresses with blanks between) returns for it, a new reference; NULL:
 * none did, and *problem says why. Takes the reference of args. */
json_t *wire_request(const char *servers, const char *function, json_t *args, const char **problem);

#endif
