#compdef lapwing
# zsh completion for lapwing(8); the program itself knows its words and its neighbours' names.
_lapwing() {
  local -a found
  found=(${(f)"$(lapwing complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( $#found )); then
    compadd -a found
  else
    _files
  fi
}
_lapwing "$@"
