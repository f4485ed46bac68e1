// As the stm32 port (the H7's) where the heap is concerned: features, object representation, floats, compiler.

#include <alloca.h>
#include <stdint.h>

#define MICROPY_CONFIG_ROM_LEVEL (MICROPY_CONFIG_ROM_LEVEL_EXTRA_FEATURES)

#define MICROPY_ENABLE_GC (1)
#define MICROPY_GC_SPLIT_HEAP (1) // OpenMV's heaps are several blocks
#define MICROPY_FLOAT_IMPL (MICROPY_FLOAT_IMPL_FLOAT)
#define MICROPY_LONGINT_IMPL (MICROPY_LONGINT_IMPL_MPZ)
#define MICROPY_OPT_COMPUTED_GOTO (1)
#define MICROPY_PERSISTENT_CODE_LOAD (1)
#define MICROPY_EMIT_THUMB (1)
#define MICROPY_EMIT_INLINE_THUMB (1)
#define MICROPY_ALLOC_PATH_MAX (128)
#define MICROPY_READER_POSIX (1)
#define MICROPY_USE_INTERNAL_ERRNO (0)

// Not here, or stand-ins in modules/.
#define MICROPY_VFS (0)
#define MICROPY_PY_OS (0)
#define MICROPY_PY_TIME (0)
#define MICROPY_PY_SELECT (0)
#define MICROPY_PY_ASYNCIO (0)
#define MICROPY_PY_MACHINE (0)
#define MICROPY_PY_IO (0)
#define MICROPY_PY_JSON (0)
#define MICROPY_PY_SYS_STDFILES (0)
#define MICROPY_PY_SYS_STDIO_BUFFER (0)
#define MICROPY_KBD_EXCEPTION (0)
#define MICROPY_HELPER_REPL (0)
#define MICROPY_PY_BUILTINS_INPUT (0)
#define MICROPY_PY_BUILTINS_HELP (0)
#define MICROPY_PY_SYS_PS1_PS2 (0)

#define MICROPY_HW_BOARD_NAME "mps2-an500"
#define MICROPY_HW_MCU_NAME "Cortex-M7"
#define MICROPY_PY_SYS_PLATFORM "qemu"

typedef int32_t mp_int_t;
typedef uint32_t mp_uint_t;
typedef long mp_off_t;
#define MP_SSIZE_MAX (0x7fffffff)

#define MICROPY_MAKE_POINTER_CALLABLE(p) ((void *)((mp_uint_t)(p) | 1))
#define MP_NEED_LOG2 (1)
#define MP_STATE_PORT MP_STATE_VM
