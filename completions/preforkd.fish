# fish completion for preforkd(8)

# What the line says of the supervisor
function __preforkd_asking
    set -l words (commandline -opc)
    set -l i 2
    while test $i -le (count $words)
        switch $words[$i]
            case -c --config --socket
                set -l next (math $i + 1)
                test $next -le (count $words); and printf '%s\n' $words[$i] $words[$next]
                set i $next
        end
        set i (math $i + 1)
    end
end

# The command and its arguments so far, without options
function __preforkd_words
    set -l words (commandline -opc)
    set -l i 2
    while test $i -le (count $words)
        switch $words[$i]
            case -c --config --socket --log-level
                set i (math $i + 1)
            case '-*'
            case '*'
                echo $words[$i]
        end
        set i (math $i + 1)
    end
end

# __preforkd_at COUNT COMMAND...: one of these commands stands there with COUNT arguments behind it
function __preforkd_at
    set -l words (__preforkd_words)
    test (count $words) -eq (math $argv[1] + 1); and contains -- "$words[1]" $argv[2..-1]
end

function __preforkd_status
    set -l asking (__preforkd_asking)
    test (count $asking) -gt 0; or return
    set -l program (commandline -opc)[1]
    timeout 1 $program $asking status --json $argv 2>/dev/null
end

function __preforkd_pools
    set -l pools (__preforkd_status | string match -ra '"name": ?"[^"]*", ?"generation"' | string replace -r '.*"name": ?"([^"]*)".*' '$1')
    if test (count $pools) -eq 0
        set -l asking (__preforkd_asking)
        if contains -- "$asking[1]" -c --config; and test -r "$asking[2]"
            set pools (string match -r '^\s*\[pool:[A-Za-z0-9_.-]+\]' <$asking[2] | string replace -r '.*:(.*)\]' '$1')
        end
    end
    printf '%s\n' $pools
end

function __preforkd_slots
    __preforkd_status (__preforkd_words)[-1] | string match -ra '"slot": ?[0-9]+' | string replace -r '.*[^0-9]' '' | sort -nu
end

set -l signals HUP INT QUIT USR1 USR2 TERM KILL WINCH CONT STOP TTIN TTOU ALRM
set -l first 'test (count (__preforkd_words)) -eq 0'

complete -c preforkd -f
complete -c preforkd -s c -l config -r -F -d 'The configuration'
complete -c preforkd -n $first -s d -l daemon -d 'Go into the background'
complete -c preforkd -n $first -s t -l test -d 'Check the configuration'
complete -c preforkd -n $first -l log-level -x -a 'error warning notice info debug' -d 'How much is logged'
complete -c preforkd -l socket -r -F -d 'Where the supervisor answers'
complete -c preforkd -l json -d 'The document itself'
complete -c preforkd -l no-wait -d 'Return when it has begun'
complete -c preforkd -n $first -s h -l help -d 'Help'
complete -c preforkd -n $first -s V -l version -d 'The version'

complete -c preforkd -n $first -a status -d 'Pools and workers as they are'
complete -c preforkd -n $first -a top -d 'Status, live'
complete -c preforkd -n $first -a events -d 'What happens, one JSON object a line'
complete -c preforkd -n $first -a reload -d 'Read the configuration anew, replace all workers'
complete -c preforkd -n $first -a reconfigure -d 'Replace only workers whose settings changed'
complete -c preforkd -n $first -a reopen -d 'Open log files anew'
complete -c preforkd -n $first -a drain -d 'No workers until resumed'
complete -c preforkd -n $first -a resume -d 'End a drain'
complete -c preforkd -n $first -a upgrade -d 'Become the program now on disk'
complete -c preforkd -n $first -a stop -d 'End all workers, then the supervisor'
complete -c preforkd -n $first -a quit -d 'The same with QUIT for the workers'
complete -c preforkd -n $first -a signal -d 'Send workers a signal'
complete -c preforkd -n $first -a scale -d 'Another number of workers'
complete -c preforkd -n $first -a restart -d 'Replace workers without a gap'
complete -c preforkd -n $first -a ping -d 'Is anybody there?'
complete -c preforkd -n $first -a config -d 'Print the effective configuration'
complete -c preforkd -n $first -a run -d 'Be one worker, without a supervisor'

complete -c preforkd -n '__preforkd_at 0 status run scale restart' -a '(__preforkd_pools)' -d Pool
complete -c preforkd -n '__preforkd_at 1 signal' -a '(__preforkd_pools)' -d Pool
complete -c preforkd -n '__preforkd_at 0 stop signal' -a "$signals" -d Signal
complete -c preforkd -n '__preforkd_at 1 scale' -a '+1 -1' -d 'Number of workers'
complete -c preforkd -n '__preforkd_at 1 restart' -a '(__preforkd_slots)' -d Slot
complete -c preforkd -n '__preforkd_at 2 signal' -a '(__preforkd_slots)' -d Slot
