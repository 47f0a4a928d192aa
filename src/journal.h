#ifndef PREFORKD_JOURNAL_H
#define PREFORKD_JOURNAL_H
/*
 * Is a descriptor a stream of systemd's journal, and what does it want at the begin of a line?
 * Floor 1.
 */
#include <stdbool.h>

#include "log_format.h"

/* As JOURNAL_STREAM says, and the descriptor really is: it may have been redirected since. */
bool journal_listens(int fd);
/* "<3>" and so on: the journal takes it off the line and for the line's priority. */
const char *journal_priority(enum log_level level);

#endif
