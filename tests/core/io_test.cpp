#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <adjoint/core/json.h>
#include <adjoint/core/layout.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "core/io/byte_reader.h"
#include "core/io/checked.h"
#include "core/io/crc32c.h"
#include "core/io/file_ops.h"
#include "core/io/temporary.h"
#include "tests/faulty_files.h"

namespace adjoint::io {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const IoError& error) {
    return error.what();
  }
  return "";
}

// A folder of its own for each test, removed at the end.
class Io : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "adjoint-io-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override {
    file_ops() = system_file_ops();
    fs::remove_all(root_);
  }
  std::string path(const std::string& name) const { return root_ + "/" + name; }
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(root_)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string root_;
};

constexpr uint64_t kHalf = uint64_t{1} << 63;

static_assert(checked_add(kHalf, kHalf - 1) == UINT64_MAX);
static_assert(!checked_add(kHalf, kHalf));
static_assert(!checked_add(UINT64_MAX, 1));
static_assert(checked_add(UINT64_MAX, 0) == UINT64_MAX);
static_assert(checked_mul(kHalf - 1, 2) == UINT64_MAX - 1);
static_assert(!checked_mul(kHalf, 2));
static_assert(!checked_mul(kHalf + 1, 2));
static_assert(!checked_mul(uint64_t{1} << 32, uint64_t{1} << 32));
static_assert(checked_mul(UINT64_MAX, 1) == UINT64_MAX);
static_assert(checked_mul(UINT64_MAX, 0) == 0);
static_assert(checked_align_up(0, 64) == 0);
static_assert(checked_align_up(1, 64) == 64);
static_assert(checked_align_up(kHalf - 1, 64) == kHalf);
static_assert(checked_align_up(kHalf + 1, 64) == kHalf + 64);
static_assert(checked_align_up(UINT64_MAX - 63, 64) == UINT64_MAX - 63);
static_assert(!checked_align_up(UINT64_MAX - 62, 64));
static_assert(!checked_align_up(UINT64_MAX, 2));
static_assert(checked_align_up(UINT64_MAX, 1) == UINT64_MAX);
static_assert(checked_align_up(10, 7) == 14);
static_assert(!checked_align_up(10, 0));

TEST(ByteReader, ReadsBothByteOrders) {
  const std::string_view data("\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\xC0\x3F\xFF\xFE\x00\x00",
                              16);
  ByteReader reader(bytes_of(data), "test");
  EXPECT_EQ(reader.read<uint64_t>(), 0x0807060504030201U);
  EXPECT_EQ(reader.read<float>(), 1.5F);
  EXPECT_EQ(reader.read<int16_t>(), -257);
  reader.seek(0);
  EXPECT_EQ(reader.read_big_endian<uint32_t>(), 0x01020304U);
  EXPECT_EQ(reader.read<uint8_t>(), 5);
  reader.align(8);
  EXPECT_EQ(reader.position(), 8U);
  EXPECT_EQ(reader.take_text(2), std::string_view("\0\0", 2));
  EXPECT_EQ(reader.remaining(), 6U);
}

TEST(ByteReader, RefusesWhatIsNotThere) {
  ByteReader reader(bytes_of("12345"), "f.bin");
  reader.skip(2);
  EXPECT_EQ(error_of([&] { reader.read<uint32_t>("size"); }),
            "f.bin: cut off in the size: at byte 2 it needs 4 bytes; 3 remain");
  for (const uint64_t n : {uint64_t{4}, kHalf - 1, kHalf, kHalf + 1, UINT64_MAX - 1, UINT64_MAX}) {
    EXPECT_NE(error_of([&] { reader.take(n); }), "") << n;
    EXPECT_NE(error_of([&] { reader.seek(n + 4 < 4 ? n : n + 4); }), "") << n;
    EXPECT_NE(error_of([&] { reader.bounded_count(n, 1, "records"); }), "") << n;
    EXPECT_NE(error_of([&] { reader.bounded_count(n, 8, "records"); }), "") << n;
  }
  EXPECT_NE(error_of([&] { reader.align(8); }), "");
  EXPECT_NE(error_of([&] { reader.align(0); }), "");
  EXPECT_EQ(reader.bounded_count(3, 1, "records"), 3U);
  EXPECT_EQ(error_of([&] { reader.bounded_count(kHalf, 2, "records"); }),
            "f.bin: too many records: 9223372036854775808 of 2 bytes or more; 3 bytes remain");
  EXPECT_EQ(reader.position(), 2U);
}

TEST(Crc32c, KnownVectors) {
  std::string up(32, '\0');
  for (size_t i = 0; i < up.size(); ++i) up[i] = static_cast<char>(i);
  const std::map<std::string, uint32_t> vectors = {{"", 0},
                                                   {"123456789", 0xE3069283},
                                                   {std::string(32, '\0'), 0x8A9136AA},
                                                   {std::string(32, '\xFF'), 0x62A8AB43},
                                                   {up, 0x46DD794E}};
  for (const auto& [text, crc] : vectors) {
    EXPECT_EQ(crc32c(0, bytes_of(text)), crc);
    EXPECT_EQ(crc32c_portable(0, bytes_of(text)), crc);
  }
  EXPECT_EQ(crc32c_hex(0xE3069283), "e3069283");
  EXPECT_EQ(crc32c_hex(0x1F), "0000001f");
}

TEST(Crc32c, SameInPiecesAndOnBothPaths) {
  std::string text(1000, '\0');
  uint32_t state = 1;
  for (char& c : text) {
    state = state * 1664525U + 1013904223U;
    c = static_cast<char>(state >> 24);
  }
  const uint32_t whole = crc32c(0, bytes_of(text));
  EXPECT_EQ(crc32c_portable(0, bytes_of(text)), whole);
  for (size_t cut = 0; cut <= text.size(); cut += 13) {
    const std::string_view view(text);
    const uint32_t first = crc32c(0, bytes_of(view.substr(0, cut)));
    EXPECT_EQ(crc32c(first, bytes_of(view.substr(cut))), whole);
    EXPECT_EQ(crc32c_portable(first, bytes_of(view.substr(cut))), whole);
  }
}

TEST_F(Io, WritesAndReads) {
  write_file_atomic(path("a"), "hello");
  EXPECT_EQ(read_text(path("a")), "hello");
  write_file_atomic(path("a"), "");
  EXPECT_EQ(read_text(path("a")), "");
  std::string large(300000, 'x');
  large[123456] = '\0';
  write_file_atomic(path("a"), large);
  EXPECT_EQ(read_text(path("a")), large);
  EXPECT_EQ(read_file(path("a")).size(), large.size());
  write_file_atomic(path("a"), [&](FileSink& out) {
    for (size_t i = 0; i < large.size(); i += 1000)
      out.append(std::string_view(large).substr(i, 1000));
    EXPECT_EQ(out.size(), large.size());
    EXPECT_EQ(out.crc32c(), crc32c(0, bytes_of(large)));
  });
  EXPECT_EQ(read_text(path("a")), large);
  EXPECT_EQ(entries(), std::vector<std::string>{"a"});
  EXPECT_GT(read_text("/proc/self/status").size(), 100U);
}

TEST_F(Io, ErrorsNamePathAndReason) {
  EXPECT_EQ(error_of([&] { read_file(path("none")); }),
            path("none") + ": cannot open the file: No such file or directory");
  EXPECT_EQ(error_of([&] { read_file(root_); }), root_ + ": is a folder; expected a file");
  write_file_atomic(path("a"), "12345");
  EXPECT_EQ(error_of([&] { read_file(path("a"), 4); }),
            path("a") + ": too large: 5 bytes; expected at most 4");
  EXPECT_EQ(read_file(path("a"), 5).size(), 5U);
  EXPECT_NE(error_of([&] { read_text("/dev/zero", 100000); }).find("too large"), std::string::npos);
  EXPECT_NE(error_of([&] { write_file_atomic(path("no/b"), "x"); }).find("No such file"),
            std::string::npos);
  EXPECT_THROW(write_file_atomic(path("a"),
                                 [](FileSink& out) {
                                   out.append("partial");
                                   throw std::runtime_error("the writer gave up");
                                 }),
               std::runtime_error);
  EXPECT_EQ(read_text(path("a")), "12345");
  EXPECT_EQ(entries(), std::vector<std::string>{"a"});
}

TEST_F(Io, MakesFolders) {
  create_directories(path("x/y/z"));
  create_directories(path("x/y/z/"));
  EXPECT_TRUE(fs::is_directory(path("x/y/z")));
  write_file_atomic(path("file"), "x");
  EXPECT_NE(error_of([&] { create_directories(path("file/z")); }), "");
  remove_directory(path("x"));
  EXPECT_EQ(entries(), std::vector<std::string>{"file"});
  EXPECT_NE(error_of([&] { remove_directory(path("x")); }), "");
}

TEST_F(Io, RemovingDoesNotFollowLinks) {
  create_directories(path("kept"));
  write_file_atomic(path("kept/file"), "x");
  create_directories(path("gone"));
  fs::create_directory_symlink(path("kept"), path("gone/link"));
  remove_directory(path("gone"));
  EXPECT_EQ(read_text(path("kept/file")), "x");
  EXPECT_FALSE(fs::exists(path("gone")));
}

// A folder as a checkpoint is written.
void save(const std::string& run, int step,
          AtomicDirectory::Existing existing = AtomicDirectory::Existing::fail) {
  const std::string name = "step-" + std::to_string(step);
  AtomicDirectory folder(run + "/" + name, existing);
  folder.write("state.json", Json::object({{"step", step}}).dump());
  folder.write("model.bin", [&](FileSink& out) {
    out.reserve(70000);
    out.append(std::string(70000, static_cast<char>(step)));
  });
  folder.commit();
  write_file_atomic(run + "/latest", name + "\n");
}

// What a loader finds: the newest folder that verifies.
int load(const std::string& run) {
  int newest = -1;
  for (const auto& entry : fs::directory_iterator(run)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("step-") || manifest_error(entry.path())) continue;
    const int step = Json::load(entry.path() / "state.json").get<int>("step");
    EXPECT_EQ(read_text(entry.path() / "model.bin"), std::string(70000, static_cast<char>(step)));
    newest = std::max(newest, step);
  }
  return newest;
}

int latest(const std::string& run) {
  const std::string text = read_text(run + "/latest");
  EXPECT_TRUE(text.starts_with("step-") && text.ends_with("\n")) << text;
  EXPECT_EQ(manifest_error(run + "/" + text.substr(0, text.size() - 1)), std::nullopt);
  return std::atoi(text.c_str() + 5);
}

TEST_F(Io, FoldersAppearWhole) {
  save(root_, 1);
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest", "step-1"}));
  EXPECT_EQ(load(root_), 1);
  EXPECT_EQ(latest(root_), 1);
  EXPECT_EQ(error_of([&] { save(root_, 1); }), path("step-1") + ": is already there");
  save(root_, 1, AtomicDirectory::Existing::replace);
  save(root_, 2);
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest", "step-1", "step-2"}));
  EXPECT_EQ(load(root_), 2);
  {
    AtomicDirectory abandoned(path("step-3"));
    abandoned.write("state.json", "{}");
    EXPECT_EQ(entries().size(), 4U);
    EXPECT_THROW(abandoned.write("state.json", "{}"), IoError);
    for (const char* name : {"", ".", "..", "a/b", "../a", "MANIFEST.json", "a\\b"}) {
      EXPECT_THROW(abandoned.write(name, "x"), IoError) << name;
    }
  }
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest", "step-1", "step-2"}));
}

TEST_F(Io, ManifestNamesWhatIsWrong) {
  save(root_, 1);
  const std::string folder = path("step-1");
  const std::string model = folder + "/model.bin";
  EXPECT_EQ(manifest_error(folder + "/"), std::nullopt);
  write_file_atomic(folder + "/notes.txt", "unlisted");
  EXPECT_EQ(manifest_error(folder), std::nullopt);

  fs::resize_file(model, 69999);
  EXPECT_EQ(*manifest_error(folder),
            model + ": cut off: 69999 bytes; expected 70000 by the manifest");
  fs::resize_file(model, 70001);
  EXPECT_EQ(*manifest_error(folder),
            model + ": too long: 70001 bytes; expected 70000 by the manifest");
  fs::resize_file(model, 69999);
  fs::resize_file(model, 70000);
  EXPECT_NE(manifest_error(folder)->find(model + ": changed since it was written: its CRC-32C is "),
            std::string::npos);
  fs::remove(model);
  EXPECT_EQ(*manifest_error(folder), model + ": cannot open the file: No such file or directory");
  fs::remove(folder + "/MANIFEST.json");
  EXPECT_EQ(*manifest_error(folder),
            folder + "/MANIFEST.json: cannot open the file: No such file or directory");
}

TEST_F(Io, EveryFlippedBitIsFound) {
  AtomicDirectory folder(path("s"));
  folder.write("a.bin", std::string(100, 'a'));
  folder.write("b.json", "{\"step\": 1}");
  folder.commit();
  int found = 0;
  int flips = 0;
  for (const char* name : {"a.bin", "b.json", "MANIFEST.json"}) {
    const std::string file = path("s/") + name;
    const std::string good = read_text(file);
    for (size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::string bad = good;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      std::ofstream(file, std::ios::binary) << bad;
      const auto error = manifest_error(path("s"));
      ASSERT_TRUE(error) << name << " bit " << bit;
      EXPECT_TRUE(error->starts_with(file)) << *error;
      ++flips;
      found += error ? 1 : 0;
    }
    std::ofstream(file, std::ios::binary) << good;
  }
  EXPECT_EQ(found, flips);
  EXPECT_EQ(manifest_error(path("s")), std::nullopt);
}

TEST_F(Io, AManifestCannotNameOtherFolders) {
  fs::create_directory(path("s"));
  write_file_atomic(path("secret"), "x");
  Json manifest = Json::object(
      {{"format", "adjoint-manifest"},
       {"version", 1},
       {"files", Json::array({Json::object(
                     {{"name", "../secret"}, {"size", 1}, {"crc32c", "00000000"}})})}});
  manifest["crc32c"] = crc32c_hex(crc32c(0, bytes_of(manifest.dump(2))));
  write_file_atomic(path("s/MANIFEST.json"), manifest.dump(2) + "\n");
  EXPECT_NE(manifest_error(path("s"))->find("not a name for a file of this folder"),
            std::string::npos);
}

TEST_F(Io, StaleTemporariesAreRemovedAndLivingOnesKept) {
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicDirectory folder(path("step-1"));
    folder.write("state.json", "{}");
    try {
      write_file_atomic(path("latest"), [](FileSink&) { ::_exit(0); });
    } catch (...) {}
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  AtomicDirectory mine(path("step-2"));
  write_file_atomic(path(".tmp-other-program"), "x");
  write_file_atomic(path(".tmp-step.00000000.1.1.1"), "another machine");
  EXPECT_EQ(entries().size(), 5U);
  EXPECT_EQ(remove_stale_temporaries(root_), 2);
  EXPECT_EQ(entries().size(), 3U);
  mine.write("a", "x");
  mine.commit();
  EXPECT_EQ(manifest_error(path("step-2")), std::nullopt);
  EXPECT_EQ(remove_stale_temporaries(root_), 0);
}

int count_calls(const std::string& run, int step, AtomicDirectory::Existing existing) {
  arm(-1, Fault::none);
  save(run, step, existing);
  disarm();
  return g_calls;
}

TEST_F(Io, EveryFailingCallLeavesSomethingWhole) {
  save(root_, 1);
  const int calls = count_calls(root_, 2, AtomicDirectory::Existing::fail);
  EXPECT_GT(calls, 25);
  EXPECT_LT(calls, 60);
  remove_directory(path("step-2"));
  write_file_atomic(path("latest"), "step-1\n");
  for (const Fault fault : {Fault::eio, Fault::enospc, Fault::eintr, Fault::short_write}) {
    for (int call = 0; call < calls; ++call) {
      arm(call, fault);
      const std::string error = error_of([&] { save(root_, 2); });
      disarm();
      ASSERT_GE(load(root_), 1) << "call " << call;
      ASSERT_TRUE(fault != Fault::short_write || error.empty()) << "call " << call;
      if (error.empty()) {
        ASSERT_EQ(load(root_), 2);
        ASSERT_EQ(latest(root_), 2);
      } else {
        ASSERT_TRUE(error.starts_with(root_)) << error;
        ASSERT_GE(latest(root_), 1);
      }
      // Nothing is removed but the temporaries, which a failing removal may leave.
      ASSERT_TRUE(fs::exists(path("step-1")));
      if (fs::exists(path("step-2"))) remove_directory(path("step-2"));
      write_file_atomic(path("latest"), "step-1\n");
    }
  }
  // Nothing but the run's own entries is left.
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest", "step-1"}));
}

TEST_F(Io, InterruptedCallsAreRepeated) {
  const int calls = count_calls(root_, 1, AtomicDirectory::Existing::fail);
  for (int call = 0; call < calls; ++call) {
    fs::remove_all(path("step-1"));
    arm(call, Fault::eintr);
    const std::string error = error_of([&] { save(root_, 1); });
    disarm();
    // mkdir, the first call, is not among those that are interrupted.
    ASSERT_TRUE(call == 0 || error.empty()) << "call " << call << ": " << error;
  }
}

TEST_F(Io, ReplacingAFolderSurvivesEveryFailure) {
  save(root_, 1);
  const int calls = count_calls(root_, 1, AtomicDirectory::Existing::replace);
  for (int call = 0; call < calls; ++call) {
    arm(call, Fault::eio);
    error_of([&] { save(root_, 1, AtomicDirectory::Existing::replace); });
    disarm();
    ASSERT_EQ(load(root_), 1) << "call " << call;
  }
}

TEST_F(Io, KilledAtEveryCallLeavesSomethingWhole) {
  save(root_, 1);
  const int calls = count_calls(root_, 2, AtomicDirectory::Existing::fail);
  remove_directory(path("step-2"));
  write_file_atomic(path("latest"), "step-1\n");
  for (const Fault fault : {Fault::kill_before, Fault::kill_after}) {
    for (int call = 0; call < calls; ++call) {
      const pid_t child = ::fork();
      if (child == 0) {
        arm(call, fault);
        save(root_, 2);
        ::_exit(0);
      }
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_EQ(WEXITSTATUS(status), 137) << "call " << call;
      const int newest = load(root_);
      ASSERT_GE(newest, 1) << "call " << call;
      ASSERT_LE(latest(root_), newest) << "call " << call;
      remove_stale_temporaries(root_);
      if (newest == 2) remove_directory(path("step-2"));
      write_file_atomic(path("latest"), "step-1\n");
      ASSERT_EQ(entries(), (std::vector<std::string>{"latest", "step-1"})) << "call " << call;
    }
  }
}

TEST_F(Io, EveryFailingReadIsAnError) {
  save(root_, 1);
  arm(-1, Fault::none);
  ASSERT_EQ(manifest_error(path("step-1")), std::nullopt);
  disarm();
  const int calls = g_calls;
  EXPECT_GT(calls, 10);
  int errors = 0;
  for (int call = 0; call < calls; ++call) {
    arm(call, Fault::eio);
    errors += manifest_error(path("step-1")) ? 1 : 0;
    disarm();
  }
  // All but the three closes.
  EXPECT_EQ(errors, calls - 3);
}

}  // namespace
}  // namespace adjoint::io
