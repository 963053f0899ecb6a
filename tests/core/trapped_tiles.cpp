#include <adjoint/core/reductions.h>

#include "tests/core/trapped_tiles.h"

#if defined(__linux__) && defined(__x86_64__)

#include <signal.h>
#include <ucontext.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace adjoint::kernels {
namespace {

// Intel's manual, volume 2: every instruction here has a VEX prefix of three bytes, C4, map 0F38,
// then opcode, ModRM and, with memory, SIB and displacement.
constexpr int kRows = 16, kRowBytes = 64;

struct Registers {
  bool configured;
  uint8_t tiles[8][kRows * kRowBytes];
};
thread_local Registers registers;

std::atomic<const char*> wrong{nullptr};
std::atomic<long> products_done{0}, configurations{0};
struct sigaction before;

struct Decoded {
  const uint8_t* end;
  int reg, rm, vvvv;
  bool memory;
  uint64_t address;  // without the index
  uint64_t index;    // times its scale: of tiles, the distance of rows
};

uint64_t value_of(const ucontext_t& context, int number) {
  constexpr int kNames[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                            REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return static_cast<uint64_t>(context.uc_mcontext.gregs[kNames[number]]);
}

template <class T>
T read(const uint8_t* p) {
  T x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

// `at` points to ModRM; the prefix's bits are already the right way up.
Decoded operands(const ucontext_t& context, const uint8_t* at, bool r, bool x, bool b, int vvvv) {
  Decoded d{};
  const int mod = *at >> 6, low = *at & 7;
  d.reg = (*at >> 3 & 7) + 8 * r;
  d.rm = low + 8 * b;
  d.vvvv = vvvv;
  d.memory = mod != 3;
  ++at;
  if (d.memory) {
    bool absolute = false, relative = false;
    int base = d.rm;
    if (low == 4) {
      const int scale = *at >> 6, index = (*at >> 3 & 7) + 8 * x;
      base = (*at & 7) + 8 * b;
      absolute = mod == 0 && (*at & 7) == 5;
      if (index != 4) d.index = value_of(context, index) << scale;
      ++at;
    } else {
      relative = mod == 0 && low == 5;
    }
    int64_t displacement = 0;
    if (mod == 1) {
      displacement = read<int8_t>(at);
      at += 1;
    } else if (mod == 2 || absolute || relative) {
      displacement = read<int32_t>(at);
      at += 4;
    }
    d.address = static_cast<uint64_t>(displacement);
    if (relative) d.address += reinterpret_cast<uint64_t>(at);
    if (!absolute && !relative) d.address += value_of(context, base);
  }
  d.end = at;
  return d;
}

void configure(const uint8_t* memory) {
  bool good = memory[0] == 1 && memory[1] == 0;
  for (int i = 2; i < 16; ++i) good = good && memory[i] == 0;
  for (int t = 0; t < 16; ++t) {
    const int bytes = read<uint16_t>(memory + 16 + 2 * t), rows = memory[48 + t];
    good = good && (t < 8 ? bytes == kRowBytes && rows == kRows : bytes == 0 && rows == 0);
  }
  if (!good) wrong = "a configuration other than eight tiles of 16 rows of 64 bytes";
  if (!registers.configured) ++configurations;
  registers = {};
  registers.configured = true;
}

float flushed(float x) {
  return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0F, x) : x;
}
float half(const uint8_t* p) {
  const uint32_t bits = static_cast<uint32_t>(read<uint16_t>(p)) << 16;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return flushed(x);
}

void dot(uint8_t* c, const uint8_t* a, const uint8_t* b) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 16; ++j) {
      float even = 0, odd = 0;
      for (int p = 0; p < 16; ++p) {
        const uint8_t* const x = a + i * kRowBytes + 4 * p;
        const uint8_t* const y = b + p * kRowBytes + 4 * j;
        even = flushed(half(x) * half(y) + even);  // the product is exact
        odd = flushed(half(x + 2) * half(y + 2) + odd);
      }
      uint8_t* const at = c + i * kRowBytes + 4 * j;
      const float sum = flushed(flushed(read<float>(at)) + flushed(even + odd));
      std::memcpy(at, &sum, sizeof sum);
    }
  }
  ++products_done;
}

void move_rows(const Decoded& d, bool load) {
  uint8_t* const tile = registers.tiles[d.reg & 7];
  for (int i = 0; i < kRows; ++i) {
    auto* const memory = reinterpret_cast<uint8_t*>(d.address + static_cast<uint64_t>(i) * d.index);
    if (load) {
      std::memcpy(tile + i * kRowBytes, memory, kRowBytes);
    } else {
      std::memcpy(memory, tile + i * kRowBytes, kRowBytes);
    }
  }
}

// Carries out what stands at the instruction pointer; false where that is none of AMX's.
bool carry_out(ucontext_t& context) {
  auto& pointer = context.uc_mcontext.gregs[REG_RIP];
  const auto* const code = reinterpret_cast<const uint8_t*>(pointer);
  if (code[0] != 0xc4 || (code[1] & 0x1f) != 2 || (code[2] & 0x84) != 0) return false;
  const bool r = (code[1] & 0x80) == 0, x = (code[1] & 0x40) == 0, b = (code[1] & 0x20) == 0;
  const int prefix = code[2] & 3, opcode = code[3];  // 0: none, 1: 66, 2: F3, 3: F2
  const Decoded d = operands(context, code + 4, r, x, b, ~code[2] >> 3 & 15);
  const bool tiles_named = d.reg < 8 && (d.memory || d.rm < 8) && d.vvvv < 8;
  if (opcode == 0x49 && prefix == 0 && d.memory && d.reg == 0) {
    configure(reinterpret_cast<const uint8_t*>(d.address));
  } else if (opcode == 0x49 && prefix == 0 && code[4] == 0xc0) {
    if (registers.configured) --configurations;
    registers = {};
  } else if (!tiles_named) {
    return false;
  } else {
    if (!registers.configured) wrong = "a tile without a configuration";
    if (opcode == 0x49 && prefix == 3 && !d.memory && d.rm == 0) {
      std::memset(registers.tiles[d.reg], 0, sizeof registers.tiles[d.reg]);
    } else if (opcode == 0x4b && d.memory && (code[4] & 7) == 4 && prefix != 0) {
      move_rows(d, prefix != 2);
    } else if (opcode == 0x5c && prefix == 2 && !d.memory) {
      if (d.reg == d.rm || d.reg == d.vvvv || d.rm == d.vvvv) wrong = "a tile named twice";
      dot(registers.tiles[d.reg], registers.tiles[d.rm], registers.tiles[d.vvvv]);
    } else {
      return false;
    }
  }
  pointer = reinterpret_cast<greg_t>(d.end);
  return true;
}

void on_illegal_instruction(int, siginfo_t*, void* context) {
  if (!carry_out(*static_cast<ucontext_t*>(context))) signal(SIGILL, SIG_DFL);
}

}  // namespace

bool TrappedTiles::available() { return true; }

TrappedTiles::TrappedTiles() {
  wrong = nullptr;
  products_done = 0;
  configurations = 0;
  struct sigaction action = {};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGILL, &action, &before);
}
TrappedTiles::~TrappedTiles() { sigaction(SIGILL, &before, nullptr); }

std::string TrappedTiles::misuse() const {
  const char* const what = wrong;
  return what == nullptr ? "" : what;
}
long TrappedTiles::products() const { return products_done; }
long TrappedTiles::held() const { return configurations; }

}  // namespace adjoint::kernels

#else

namespace adjoint::kernels {
bool TrappedTiles::available() { return false; }
TrappedTiles::TrappedTiles() {}
TrappedTiles::~TrappedTiles() {}
std::string TrappedTiles::misuse() const { return ""; }
long TrappedTiles::products() const { return 0; }
long TrappedTiles::held() const { return 0; }
}  // namespace adjoint::kernels

#endif
