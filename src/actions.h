#ifndef PREFORKD_ACTIONS_H
#define PREFORKD_ACTIONS_H
/* What the signals that came ask for, by the map of the configuration. Floor 3. */
#include <stdint.h>

struct signal_rule;
struct supervisor;

/* Acts on every signal that is waiting. */
void actions_take_signals(struct supervisor *supervisor, int64_t now_ms);
/* Does what a line of the map says, whoever asks for it. */
void actions_perform(struct supervisor *supervisor, const struct signal_rule *rule, int64_t now_ms);
/* Begins the stop of our own accord, with the exit status it ends in. */
void actions_stop(struct supervisor *supervisor, int exit_status, int64_t now_ms);

#endif
