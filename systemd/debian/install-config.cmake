# Puts the configuration into the package's tree; called by CPack after the files of `install`.
file(INSTALL ${CMAKE_CURRENT_LIST_DIR}/../lapwing.toml
  DESTINATION ${CMAKE_INSTALL_PREFIX}/../etc/lapwing
  PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
