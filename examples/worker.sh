#!/bin/sh
# A worker for preforkd without a socket: does the jobs it finds in a folder, one after another.
# A job is a file NAME.job, here a shell script; its output becomes NAME.out.
#
# [pool:spool]  command = sh worker.sh /var/spool/jobs      max_workers = 4
spool=${1:?usage: worker.sh FOLDER}

put() {    # AT TEXT: writes into our line of the scoreboard; nothing without a supervisor
    [ -z "$PREFORKD_SCOREBOARD" ] ||
        printf %s "$2" | dd of="$PREFORKD_SCOREBOARD" bs=1 conv=notrunc \
            seek=$((PREFORKD_SCOREBOARD_OFFSET + $1)) 2>/dev/null
}

is_leaving() {    # asked to by TERM, or by the supervisor's mark in our line
    [ -n "$leave" ] || { [ -n "$PREFORKD_SCOREBOARD" ] && [ R = "$(dd bs=1 count=1 2>/dev/null \
        if="$PREFORKD_SCOREBOARD" skip=$((PREFORKD_SCOREBOARD_OFFSET + 2)))" ]; }
}

jobs=0 leave=
trap leave=1 TERM
while put 0 _ && [ -z "$leave" ]; do
    for job in "$spool"/*.job; do
        [ -e "$job" ] || continue
        put 0 W    # first busy, then the mark, then the job: so none is lost
        is_leaving && exit 0
        mv "$job" "$job.$$" 2>/dev/null || continue    # another worker took it
        sh "$job.$$" >"${job%.job}.out" </dev/null
        rm -f "$job.$$"
        jobs=$((jobs + 1))
        put 12 "$(printf %-12d $jobs)"
    done
    put 0 _
    sleep 1 &
    wait $! || kill $!    # TERM ends the wait at once
done
exit 0
