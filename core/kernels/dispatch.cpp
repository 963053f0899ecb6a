// Which instruction set runs: detection, ADJOINT_ISA, and the merging of tables.
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>

#include <adjoint/core/error.h>
#include "core/kernels/kernels.h"
#include "core/kernels/tile_permission.h"

namespace adjoint::kernels {

// The tables that the stubs export, one for each family and instruction set.
#define ADJOINT_DECLARE(Type, family) extern const Type family##_table;
namespace scalar {
ADJOINT_KERNEL_FAMILIES(ADJOINT_DECLARE)
}
#if defined(__x86_64__)
namespace avx2 {
ADJOINT_KERNEL_FAMILIES(ADJOINT_DECLARE)
}
namespace avx512 {
ADJOINT_KERNEL_FAMILIES(ADJOINT_DECLARE)
}
namespace amx {
extern const GemmTable gemm_table;
}
#elif defined(__aarch64__)
namespace neon {
ADJOINT_KERNEL_FAMILIES(ADJOINT_DECLARE)
}
#endif
#undef ADJOINT_DECLARE

namespace {

// Entries of `child` that are not null replace those of `table`.
template <class Table>
void merge(Table& table, const Table& child) {
  using Entry = void (*)();
  static_assert(std::is_trivially_copyable_v<Table> && sizeof(Table) % sizeof(Entry) == 0,
                "a kernel table holds function pointers only");
  constexpr size_t kEntries = sizeof(Table) / sizeof(Entry);
  Entry mine[kEntries], theirs[kEntries];
  std::memcpy(mine, &table, sizeof(Table));
  std::memcpy(theirs, &child, sizeof(Table));
  for (size_t i = 0; i < kEntries; ++i) {
    if (theirs[i] != nullptr) mine[i] = theirs[i];
  }
  std::memcpy(&table, mine, sizeof(Table));
}

constexpr int kMaxIsas = 4;

// What this machine can run, each table merged over the one before it.
struct Isas {
  const char* names[kMaxIsas];
  KernelTable tables[kMaxIsas];
  int count = 0;

  Isas() {
#define ADJOINT_SCALAR(Type, family) tables[0].family = scalar::family##_table;
    ADJOINT_KERNEL_FAMILIES(ADJOINT_SCALAR)
#undef ADJOINT_SCALAR
    names[count++] = "scalar";
#if defined(__x86_64__)
    // The builtins ask the system too: a processor's registers that it does not save do not count.
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi2") && has_f16c();
    if (!avx2) return;
    tables[count] = tables[count - 1];
#define ADJOINT_MERGE(Type, family) merge(tables[count].family, avx2::family##_table);
    ADJOINT_KERNEL_FAMILIES(ADJOINT_MERGE)
#undef ADJOINT_MERGE
    names[count++] = "avx2";
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (!avx512) return;
    tables[count] = tables[count - 1];
#define ADJOINT_MERGE(Type, family) merge(tables[count].family, avx512::family##_table);
    ADJOINT_KERNEL_FAMILIES(ADJOINT_MERGE)
#undef ADJOINT_MERGE
    names[count++] = "avx512";
    if (!has_amx() || !permit_tiles()) return;
    tables[count] = tables[count - 1];
    merge(tables[count].gemm, amx::gemm_table);
    names[count++] = "amx";
#elif defined(__aarch64__)
    // Every processor of the architecture has it.
    tables[count] = tables[count - 1];
#define ADJOINT_MERGE(Type, family) merge(tables[count].family, neon::family##_table);
    ADJOINT_KERNEL_FAMILIES(ADJOINT_MERGE)
#undef ADJOINT_MERGE
    names[count++] = "neon";
#endif
  }

#if defined(__x86_64__)
  struct Leaf {
    unsigned eax, ebx, ecx, edx;
  };
  static Leaf cpuid(unsigned leaf) {
    Leaf r{leaf, 0, 0, 0};
    __asm__("cpuid" : "+a"(r.eax), "=b"(r.ebx), "+c"(r.ecx), "=d"(r.edx));
    return r;
  }
  // clang 14's __builtin_cpu_supports knows neither f16c nor amx.
  static bool has_f16c() { return (cpuid(1).ecx >> 29 & 1) != 0; }
  // amx-tile and amx-bf16, and a system that saves the tiles' configuration and data: bits 17 and
  // 18 of XCR0, which may be read where bit 27 of leaf 1 says so.
  static bool has_amx() {
    if (cpuid(0).eax < 7 || (cpuid(1).ecx >> 27 & 1) == 0) return false;
    constexpr unsigned kTileAndBf16 = 1U << 24 | 1U << 22, kTileState = 3U << 17;
    if ((cpuid(7).edx & kTileAndBf16) != kTileAndBf16) return false;
    unsigned low = 0, high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & kTileState) == kTileState;
  }
#endif

  int find(const char* isa) const {
    for (int i = 0; i < count; ++i) {
      if (std::strcmp(names[i], isa) == 0) return i;
    }
    return -1;
  }

  std::string choices() const {
    std::string text;
    for (int i = 0; i < count; ++i) text += std::string(i > 0 ? ", " : "") + names[i];
    return text;
  }
};

const Isas& isas() {
  static const Isas instance;
  return instance;
}

int chosen() {
  static const int index = [] {
    const char* isa = std::getenv("ADJOINT_ISA");
    if (isa == nullptr || *isa == '\0') return isas().count - 1;
    const int found = isas().find(isa);
    check<ConfigError>(found >= 0, "ADJOINT_ISA: no instruction set of this machine: '", isa,
                       "'; expected one of ", isas().choices(), "; unset it for the best");
    return found;
  }();
  return index;
}

}  // namespace

const KernelTable& kernels() {
  static const KernelTable& table = isas().tables[chosen()];
  return table;
}

const char* isa_name() { return isas().names[chosen()]; }

const char* const* runnable_isas(int* count) {
  *count = isas().count;
  return isas().names;
}

const KernelTable& kernels_for(const char* isa) {
  const int found = isas().find(isa);
  check<ConfigError>(found >= 0, "kernels_for: no instruction set of this machine: '", isa,
                     "'; expected one of ", isas().choices());
  return isas().tables[found];
}

}  // namespace adjoint::kernels
