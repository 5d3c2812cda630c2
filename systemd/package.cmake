# The Debian package: `cpack -G DEB` in the build directory.
#
# /etc/lapwing/lapwing.toml comes with the package alone and is a conffile; `cmake --install` leaves
# /etc alone.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME lapwing)
set(CPACK_PACKAGE_VENDOR Lapwing)
set(CPACK_PACKAGE_CONTACT "Lapwing maintainers <lapwing@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "BGP collector that tells when upstreams and paths change")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Lapwing speaks BGP-4, keeps what each neighbour announces, and reports new upstreams and changed
 paths with their evidence to syslog, files and an HTTP API. It announces no route.")
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers, init-system-helpers")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${CMAKE_CURRENT_LIST_DIR}/debian/conffiles
  ${CMAKE_CURRENT_LIST_DIR}/debian/postinst
  ${CMAKE_CURRENT_LIST_DIR}/debian/prerm
  ${CMAKE_CURRENT_LIST_DIR}/debian/postrm)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian/install-config.cmake)
include(CPack)
