# bash completion for preforkd(8)                                    -*- shell-script -*-
#
# Pools and slots are asked of the supervisor that the line names, if it answers at once.

# _preforkd_ask [POOL]
_preforkd_ask()
{
    # What the line says of the supervisor goes along; --json is one line
    local i asking=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c | --config | --socket) asking+=("${COMP_WORDS[i]}" "${COMP_WORDS[++i]}") ;;
        esac
    done
    [ ${#asking[@]} -gt 0 ] || return 0
    timeout 1 "${COMP_WORDS[0]}" "${asking[@]}" status --json "$@" 2>/dev/null
}

# Names of pools: of the supervisor, else of the configuration
_preforkd_pools()
{
    local pools
    pools=$(_preforkd_ask | grep -oE '"name": ?"[^"]*", ?"generation"' | sed -E 's/"name": ?"([^"]*)".*/\1/')
    if [ -z "$pools" ] && [ -r "$config" ]; then
        pools=$(sed -nE 's/^[[:space:]]*\[pool:([A-Za-z0-9_.-]+)\].*/\1/p' -- "$config")
    fi
    printf '%s\n' $pools
}

_preforkd_slots()
{
    _preforkd_ask "$1" | grep -oE '"slot": ?[0-9]+' | grep -oE '[0-9]+' | sort -nu
}

_preforkd()
{
    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command= config= words=() i
    local signals="HUP INT QUIT USR1 USR2 TERM KILL WINCH CONT STOP TTIN TTOU ALRM"
    local commands="status top events reload reconfigure reopen drain resume upgrade stop quit
        signal scale restart ping config run"

    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c | --config) config=${COMP_WORDS[++i]} ;;
        --socket | --log-level) ((++i)) ;;
        -*) ;;
        *) words+=("${COMP_WORDS[i]}") ;;
        esac
    done
    config=${config/#\~\//$HOME/}
    command=${words[0]-}

    case $previous in
    -c | --config | --socket)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --log-level)
        mapfile -t COMPREPLY < <(compgen -W "error warning notice info debug" -- "$cur")
        return
        ;;
    esac

    if [[ $cur == -* ]]; then
        if [ -n "$command" ]; then
            mapfile -t COMPREPLY < <(compgen -W "--json --no-wait --socket --config" -- "$cur")
        else
            mapfile -t COMPREPLY < <(compgen -W "-c --config -d --daemon -t --test --log-level
                --socket --json --no-wait -h --help -V --version" -- "$cur")
        fi
        return
    fi

    local choices=
    case $command,${#words[@]} in
    ,0) choices=$commands ;;
    status,1 | run,1 | scale,1 | restart,1 | signal,2) choices=$(_preforkd_pools) ;;
    stop,1 | signal,1) choices=$signals ;;
    scale,2) choices="+1 -1" ;;
    restart,2 | signal,3) choices=$(_preforkd_slots "${words[-1]}") ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$cur")
}

complete -F _preforkd preforkd
