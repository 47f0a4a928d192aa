#ifndef PREFORK_H
#define PREFORK_H
/*
 * libprefork: for workers of preforkd(8). A worker tells its state by it, and takes jobs so that
 * none is lost when it is asked to leave. Manual page: libprefork(3).
 *
 *	static void answer(int client, void *unused) { ... }
 *
 *	int main(void)
 *	{
 *		prefork_attach();
 *		return prefork_serve(answer, NULL) < 0;
 *	}
 *
 * Without preforkd every call does nothing harmful, so that the program runs alone as it is. There
 * is one line of the scoreboard a process, so there is no handle.
 *
 * Signals: the calls marked [s] are async-signal-safe. No call changes errno, but those that return
 * -1. After prefork_attach() nothing is allocated.
 * Threads: all but attach, detach, stop_on and listen may be called by several threads at once.
 *Each thread is busy or idle by itself, and the line says idle when all are. Fork: in a child all
 *is as if never attached, until it attaches itself.
 */
#ifdef __cplusplus
extern "C" {
#endif

/* Finds this worker's line of the scoreboard and the socket for notifications, by the environment.
 * 1: done, or was before. 0: there is no supervisor. -1: there is one, but not for this process, or
 * the descriptor is another file's (errno: EPERM, EBADF, or open(2)'s); nothing is reported then.
 */
int prefork_attach(void);
/* Says nothing from now on; stop signals act again as they did before prefork_stop_on(). */
void prefork_detach(void);

/* --- what this worker does --- */

/* [s] This thread is busy, or is idle. The note tells with what: up to 38 characters; NULL leaves
 * the old one. Idle leaves it, too. */
void prefork_busy(const char *note);
void prefork_idle(void);
/* [s] This thread is in this state: '_' idle, any other of 0x21 to 0x7e busy. */
void prefork_state(char state);
/* [s] What the worker is at; NULL or "": nothing. */
void prefork_note(const char *note);
/* [s] One job more is done. */
void prefork_done(void);
/* [s] Alive, though nothing else changes: for `timeout`, or WatchdogSec= of systemd. */
void prefork_beat(void);
/* Sends READY=1, to preforkd or systemd: 1 sent, 0 nobody wants it, -1 failed. Waits up to five
 * seconds, where many others send at the same time. A first state tells
 * preforkd the same. */
int prefork_ready(void);

/* --- leaving --- */

/* [s] 1 when this worker should take no further job: its line asks for it, or a signal of
 * prefork_stop_on() has come. */
int prefork_stopping(void);
/* [s] The three steps in their order: says busy with the note, looks, and returns 1: take the job;
 * or 0: do not, leave. It is still busy then, so that nothing is sent after it. */
int prefork_take(const char *note);
/* From now on this signal ends nothing: it is held back (blocked), and prefork_stopping() and
 * prefork_accept() notice. To be called before threads are started. 0, or -1 with errno EINVAL. */
int prefork_stop_on(int signal_number);

/* --- connections --- */

/* The n-th (from 0) of the inherited sockets of this name, or of all when name is NULL: a
 * descriptor that is close-on-exec, or -1 when there is none. */
int prefork_socket(const char *name, int n);
/* Adds a listening socket for prefork_accept(). Without any, it takes all that are inherited. They
 * become non-blocking, for all who share them. 0, or -1 with errno. */
int prefork_listen(int fd);
/* The next connection: waits idle, says busy, looks, accepts. *listener is the socket it came by,
 * unless NULL. The descriptor is close-on-exec and the caller's. -1: leave; errno is ECANCELED when
 * asked to, ENOTSOCK when there is no socket, else accept(2)'s. The first call stops on TERM and
 * QUIT, when prefork_stop_on() was never called. */
int prefork_accept(int *listener);
/* Says that it is ready, then serves each connection, closes it and counts it, until it is to
 * leave: 0; or -1 with errno. */
int prefork_serve(void (*serve)(int client, void *context), void *context);

#ifdef __cplusplus
}
#endif

#endif
