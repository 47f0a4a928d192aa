#ifndef PREFORKD_ACTIONS_H
#define PREFORKD_ACTIONS_H
/* What the signals that came ask for, by the map of the configuration. Floor 3. */
#include <stdint.h>

struct supervisor;

/* Acts on every signal that is waiting. */
void actions_take_signals(struct supervisor *supervisor, int64_t now_ms);
/* Begins the stop of our own accord, with the exit status it ends in. */
void actions_stop(struct supervisor *supervisor, int exit_status, int64_t now_ms);

#endif
