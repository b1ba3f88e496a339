# The machine, its front ends and the programs the user runs.
find_package(PkgConfig REQUIRED)
pkg_check_modules(NCURSESW REQUIRED IMPORTED_TARGET ncursesw tinfo)
find_package(PNG REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)

file(GLOB BTVM_STATE_SOURCES CONFIGURE_DEPENDS state/*.cc)
list(REMOVE_ITEM BTVM_STATE_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/state/atomic_file.cc ${CMAKE_CURRENT_SOURCE_DIR}/state/checksum.cc)
add_library(btvm-state-files STATIC ${BTVM_STATE_SOURCES})
target_link_libraries(btvm-state-files PUBLIC btvm-devices PRIVATE PkgConfig::ZSTD)

set(BTVM_VERSION 0.1)
file(GLOB BTVM_MACHINE_SOURCES CONFIGURE_DEPENDS abi/*.cc checkpoint/*.cc machine/*.cc)
add_library(btvm-machine STATIC ${BTVM_MACHINE_SOURCES})
target_compile_definitions(btvm-machine PRIVATE BTVM_VERSION="${BTVM_VERSION}")
target_link_libraries(btvm-machine PUBLIC btvm-state-files btvm-devices btvm-vmm nlohmann_json::nlohmann_json Threads::Threads)

file(GLOB BTVM_CONTROL_SOURCES CONFIGURE_DEPENDS control/*.cc)
add_library(btvm-control STATIC ${BTVM_CONTROL_SOURCES})
target_link_libraries(btvm-control PUBLIC btvm-machine PRIVATE PNG::PNG)

file(GLOB BTVM_FRONTEND_SOURCES CONFIGURE_DEPENDS frontend/*.cc)
add_library(btvm-frontend STATIC ${BTVM_FRONTEND_SOURCES})
target_link_libraries(btvm-frontend PUBLIC btvm-machine PRIVATE PkgConfig::NCURSESW)

file(GLOB BTVM_RUN_SOURCES CONFIGURE_DEPENDS tools/run*.cc tools/headless*.cc)
add_executable(btvm-run ${BTVM_RUN_SOURCES})
target_compile_definitions(btvm-run PRIVATE BTVM_VERSION="${BTVM_VERSION}")
target_link_libraries(btvm-run PRIVATE btvm-frontend btvm-control btvm-machine CLI11::CLI11)

file(GLOB BTVM_CTL_SOURCES CONFIGURE_DEPENDS tools/ctl*.cc)
add_executable(btvm-ctl ${BTVM_CTL_SOURCES})
target_compile_definitions(btvm-ctl PRIVATE BTVM_VERSION="${BTVM_VERSION}")
target_link_libraries(btvm-ctl PRIVATE btvm-control CLI11::CLI11)

file(GLOB BTVM_STATE_TOOL_SOURCES CONFIGURE_DEPENDS tools/state*.cc tools/core_file.cc)
add_executable(btvm-state ${BTVM_STATE_TOOL_SOURCES})
target_compile_definitions(btvm-state PRIVATE BTVM_VERSION="${BTVM_VERSION}")
target_link_libraries(btvm-state PRIVATE btvm-machine CLI11::CLI11)

# What reads command lines and JSON is mostly templates of CLI11's and nlohmann's, which take long to optimise, and runs once.
file(GLOB BTVM_ONCE_SOURCES CONFIGURE_DEPENDS control/control_*.cc control/pc_control.cc tools/ctl*.cc tools/run_options.cc tools/run_values.cc
     tools/state.cc)
if(NOT BTVM_SANITIZE)
    set_source_files_properties(${BTVM_ONCE_SOURCES} PROPERTIES COMPILE_OPTIONS -Og)
else() # no test runs these two there
    set_target_properties(btvm-ctl btvm-state PROPERTIES EXCLUDE_FROM_ALL ON)
endif()

include(GNUInstallDirs)
install(TARGETS btvm-run btvm-ctl btvm-state RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/../docs/man/btvm-run.1 ${CMAKE_CURRENT_SOURCE_DIR}/../docs/man/btvm-ctl.1
        ${CMAKE_CURRENT_SOURCE_DIR}/../docs/man/btvm-state.1
        DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES completion/btvm-run completion/btvm-ctl completion/btvm-state
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
