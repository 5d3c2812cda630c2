# Puts the configuration into the package's tree; CPack calls it between `install` and packing.
file(COPY ${CMAKE_CURRENT_LIST_DIR}/../lapwing.toml
  DESTINATION ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/etc/lapwing
  FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
