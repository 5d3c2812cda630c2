# bash completion for lapwing(8); the program itself knows its words and its neighbours' names.
_lapwing() {
  local IFS=$'\n'
  COMPREPLY=($(lapwing complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _lapwing lapwing
