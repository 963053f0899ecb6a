#include <adjoint/core/error.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/core/tensor.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace adjoint {
namespace {

namespace fs = std::filesystem;

std::string little_endian(uint64_t value) {
  std::string out(8, '\0');
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(value >> (8 * i));
  return out;
}

// The bytes of a file with this header, its size in front, and this data.
std::string file_of(std::string_view header, std::string_view data = "") {
  return little_endian(header.size()).append(header).append(data);
}

// One tensor's member of a header.
std::string member(std::string_view name, std::string_view dtype, std::string_view shape,
                   std::string_view offsets) {
  std::string out;
  out.append("\"").append(name).append("\":{\"dtype\":\"").append(dtype).append("\",\"shape\":");
  return out.append(shape).append(",\"data_offsets\":").append(offsets).append("}");
}

std::string header_of(std::initializer_list<std::string> members) {
  std::string out = "{";
  for (const std::string& text : members) out.append(out.size() > 1 ? "," : "").append(text);
  return out.append("}");
}

SafetensorsFile parse(const std::string& bytes) {
  return SafetensorsFile::from_bytes(std::as_bytes(std::span(bytes)), "f");
}

std::string error_of(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const IoError& error) {
    return error.what();
  }
  return "";
}

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

struct Case {
  const char* what;
  std::string bytes;
  const char* error;  // a part of the message
};

const std::string kOne = member("a", "U8", "[1]", "[0,1]");

std::string one_with(std::string_view extra) {
  std::string out = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],)";
  return out.append(extra).append("}}");
}

TEST(Safetensors, RefusesWhatTheReferenceRefuses) {
  const std::vector<Case> cases = {
      {"empty", "", "too short"},
      {"7 bytes", std::string(7, '\0'), "too short"},
      {"N = 0", file_of(""), "expected a value"},
      {"N above the limit", little_endian(100000001) + "{}", "the header is too large: 100000001"},
      {"N = 2^63", little_endian(uint64_t{1} << 63) + "{}", "the header is too large"},
      {"N = 2^64 - 1", little_endian(UINT64_MAX) + "{}", "the header is too large"},
      {"N past the end", little_endian(3) + "{}", "cut off in the header"},
      {"array", file_of("[]"), "expected an object as the header"},
      {"null", file_of("null"), "expected an object as the header"},
      {"byte order mark", file_of("\xEF\xBB\xBF{}"), "byte order mark"},
      {"NUL padding", file_of(std::string("{}\0\0", 4)), "expected the end of the text"},
      {"text behind", file_of("{}{}"), "expected the end of the text"},
      {"invalid UTF-8", file_of("{\"\xFF\":null}"), "not UTF-8"},
      {"lone surrogate", file_of(R"({"\ud800":null})"), "lone surrogate"},
      {"nested 200 deep", file_of(one_with("\"x\":" + repeat("[", 200) + repeat("]", 200)), "x"),
       "nested too deeply"},
      {"NaN", file_of(one_with("\"x\":NaN"), "x"), "expected a value; found 'N'"},
      {"1e999", file_of(one_with("\"x\":1e999"), "x"), "too large for a double"},
      {"trailing comma", file_of("{" + kOne + ",}", "x"), "expected a key"},
      {"hole", file_of(header_of({kOne, member("b", "U8", "[1]", "[2,3]")}), "xyz"),
       "they leave a hole"},
      {"overlap",
       file_of(header_of({member("a", "U8", "[2]", "[0,2]"), member("b", "U8", "[2]", "[1,3]")}),
               "xyz"),
       "they overlap another tensor"},
      {"same range twice", file_of(header_of({kOne, member("b", "U8", "[1]", "[0,1]")}), "x"),
       "they overlap another tensor"},
      {"first not at 0", file_of(header_of({member("a", "U8", "[1]", "[1,2]")}), "xy"),
       "they leave a hole"},
      {"end before start", file_of(header_of({kOne, member("b", "U8", "[0]", "[1,0]")}), "x"),
       "the end is before the start"},
      {"zero size inside another",
       file_of(header_of({member("a", "U8", "[2]", "[0,2]"), member("b", "U8", "[0]", "[1,1]")}),
               "xy"),
       "they overlap another tensor"},
      {"trailing data", file_of(header_of({kOne}), "xy"), "bytes that belong to no tensor"},
      {"data without tensors", file_of("{}", "x"), "bytes that belong to no tensor"},
      {"truncated data", file_of(header_of({member("a", "U8", "[2]", "[0,2]")}), "x"), "cut off"},
      {"bytes and shape differ",
       file_of(header_of({member("a", "F32", "[1]", "[0,8]")}), "12345678"),
       "they hold 8 bytes; expected 4 for F32 [1]"},
      {"product overflows",
       file_of(header_of({member("a", "U8", "[9223372036854775808,4,0]", "[0,0]")})),
       "overflows 64 bits"},
      {"product of 2^32s",
       file_of(header_of({member("a", "U8", "[4294967296,4294967296]", "[0,0]")})),
       "overflows 64 bits"},
      {"bits overflow", file_of(header_of({member("a", "F64", "[1152921504606846976]", "[0,0]")})),
       "overflows 64 bits"},
      {"wraps to 0 bytes",
       file_of(header_of({member("a", "F64", "[288230376151711744]", "[0,0]")})),
       "overflows 64 bits"},
      {"negative size", file_of(header_of({member("a", "U8", "[-1]", "[0,1]")}), "x"),
       "expected an integer from 0 in the shape"},
      {"-0", file_of(header_of({member("a", "U8", "[-0]", "[0,0]")})),
       "expected an integer from 0 in the shape"},
      {"float size", file_of(header_of({member("a", "U8", "[1.0]", "[0,1]")}), "x"),
       "expected an integer from 0 in the shape"},
      {"exponent size", file_of(header_of({member("a", "U8", "[1e0]", "[0,1]")}), "x"),
       "expected an integer from 0 in the shape"},
      {"size above 2^64",
       file_of(header_of({member("a", "U8", "[0,18446744073709551616]", "[0,0]")})),
       "expected an integer from 0 in the shape"},
      {"string size", file_of(header_of({member("a", "U8", "[\"1\"]", "[0,1]")}), "x"),
       "expected an integer from 0 in the shape"},
      {"shape null", file_of(header_of({member("a", "U8", "null", "[0,1]")}), "x"),
       "expected an array for the shape"},
      {"negative offset", file_of(header_of({member("a", "U8", "[1]", "[-1,0]")}), "x"),
       "expected an integer from 0 in data_offsets"},
      {"float offset", file_of(header_of({member("a", "U8", "[1]", "[0,1.0]")}), "x"),
       "expected an integer from 0 in data_offsets"},
      {"three offsets", file_of(header_of({member("a", "U8", "[1]", "[0,1,1]")}), "x"),
       "expected two numbers"},
      {"one offset", file_of(header_of({member("a", "U8", "[1]", "[0]")}), "x"),
       "expected an integer from 0 in data_offsets"},
      {"offsets no array", file_of(header_of({member("a", "U8", "[1]", "1")}), "x"),
       "expected an array for data_offsets"},
      {"no dtype", file_of(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", "x"),
       "the tensor \"a\" has no dtype"},
      {"no shape", file_of(R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", "x"), "has no shape"},
      {"no offsets", file_of(R"({"a":{"dtype":"U8","shape":[1]}})", "x"), "has no data_offsets"},
      {"null tensor", file_of(R"({"a":null})"), "expected an object for the tensor \"a\""},
      {"unknown dtype", file_of(header_of({member("a", "F128", "[1]", "[0,1]")}), "x"),
       "an unknown dtype: \"F128\""},
      {"lower-case dtype", file_of(header_of({member("a", "u8", "[1]", "[0,1]")}), "x"),
       "an unknown dtype: \"u8\""},
      {"dtype of a number", file_of(R"({"a":{"dtype":1,"shape":[1],"data_offsets":[0,1]}})", "x"),
       "expected a string for the dtype"},
      {"__metadata__ twice", file_of(R"({"__metadata__":{},"__metadata__":{}})"),
       "__metadata__ comes twice"},
      {"__metadata__ null twice", file_of(R"({"__metadata__":null,"__metadata__":{}})"),
       "__metadata__ comes twice"},
      {"a field twice", file_of(one_with("\"dtype\":\"U8\""), "x"), "dtype comes twice"},
      {"metadata of integers", file_of(R"({"__metadata__":{"a":1}})"), "expected a string"},
      {"nested metadata", file_of(R"({"__metadata__":{"a":{}}})"), "expected a string"},
      {"metadata array", file_of(R"({"__metadata__":[]})"), "expected an object of strings"},
      {"odd number of F4", file_of(header_of({member("a", "F4", "[1]", "[0,0]")})),
       "not a whole number of bytes"},
      {"three of F6", file_of(header_of({member("a", "F6_E2M3", "[3]", "[0,2]")}), "xy"),
       "not a whole number of bytes"},
  };
  for (const Case& c : cases) {
    const std::string error = error_of(c.bytes);
    EXPECT_TRUE(error.starts_with("f: ")) << c.what << " -> " << error;
    EXPECT_NE(error.find(c.error), std::string::npos) << c.what << " -> " << error;
  }
}

TEST(Safetensors, IsStricterOnPurpose) {
  EXPECT_EQ(error_of(file_of(header_of({kOne, member("a", "U8", "[1]", "[1,2]")}), "xy")),
            "f: tensor \"a\": its name comes twice");
  EXPECT_EQ(error_of(file_of(header_of({kOne, member("\\u0061", "U8", "[1]", "[1,2]")}), "xy")),
            "f: tensor \"a\": its name comes twice");
  const auto ones = [](int n) { return "[1" + repeat(",1", n - 1) + "]"; };
  EXPECT_EQ(error_of(file_of(header_of({member("a", "U8", ones(64), "[0,1]")}), "x")), "");
  EXPECT_NE(error_of(file_of(header_of({member("a", "U8", ones(65), "[0,1]")}), "x")), "");
}

TEST(Safetensors, TakesWhatTheReferenceTakes) {
  const std::vector<Case> cases = {
      {"no padding", file_of(header_of({kOne}), "x"), ""},
      {"spaces behind", file_of(header_of({kOne}) + "   ", "x"), ""},
      {"newline behind", file_of(header_of({kOne}) + "\n", "x"), ""},
      {"space before", file_of(" " + header_of({kOne}), "x"), ""},
      {"no tensors", file_of("{}"), ""},
      {"metadata null", file_of(R"({"__metadata__":null})"), ""},
      {"metadata empty", file_of(R"({"__metadata__":{}})"), ""},
      {"metadata last", file_of("{" + kOne + R"(,"__metadata__":{"x":"y"}})", "x"), ""},
      {"rank 0", file_of(header_of({member("a", "U8", "[]", "[0,1]")}), "x"), ""},
      {"zero size", file_of(header_of({member("a", "F32", "[3,0]", "[0,0]")})), ""},
      {"zero sizes between others",
       file_of(header_of({kOne, member("z", "F64", "[0]", "[1,1]"),
                          member("y", "F64", "[0,2]", "[1,1]"), member("b", "U8", "[1]", "[1,2]")}),
               "xy"),
       ""},
      {"[0, 2^63]", file_of(header_of({member("a", "U8", "[0,9223372036854775808]", "[0,0]")})),
       ""},
      {"[0, 2^64 - 1]",
       file_of(header_of({member("a", "U8", "[0,18446744073709551615]", "[0,0]")})), ""},
      {"keys against the offsets",
       file_of(header_of({member("b", "U8", "[1]", "[1,2]"), kOne}), "xy"), ""},
      {"fields in any order",
       file_of(R"({"a":{"data_offsets":[0,1],"shape":[1],"dtype":"U8"}})", "x"), ""},
      {"F64 at byte 1", file_of(header_of({kOne, member("b", "F64", "[1]", "[1,9]")}), "x12345678"),
       ""},
      {"an unknown field", file_of(one_with(R"("x":{"y":[1,{"z":null}],"y":2})"), "x"), ""},
      {"nested 100 deep", file_of(one_with("\"x\":" + repeat("[", 100) + repeat("]", 100)), "x"),
       ""},
      {"empty name", file_of(header_of({member("", "U8", "[1]", "[0,1]")}), "x"), ""},
      {"NUL in a name", file_of(header_of({member("\\u0000", "U8", "[1]", "[0,1]")}), "x"), ""},
      {"a metadata key twice", file_of(R"({"__metadata__":{"a":"1","a":"2"}})"), ""},
      {"two of F4", file_of(header_of({member("a", "F4", "[2]", "[0,1]")}), "x"), ""},
      {"four of F6", file_of(header_of({member("a", "F6_E3M2", "[4]", "[0,3]")}), "xyz"), ""},
  };
  for (const Case& c : cases) EXPECT_EQ(error_of(c.bytes), "") << c.what;

  EXPECT_EQ(parse(file_of(R"({"__metadata__":{"a":"1","a":"2"}})")).metadata("a"), "2");
  EXPECT_EQ(parse(file_of(R"({"__metadata__":{"a":"1","b":"\u00e9"}})")).metadata(),
            (std::map<std::string, std::string>{{"a", "1"}, {"b", "\xC3\xA9"}}));
  EXPECT_EQ(parse(file_of("{}")).metadata("a"), std::nullopt);
  EXPECT_EQ(
      parse(file_of(header_of({member("a", "U8", "[0,9223372036854775808]", "[0,0]")})))[0].dims[1],
      uint64_t{1} << 63);
  EXPECT_THROW(
      parse(file_of(header_of({member("a", "U8", "[0,9223372036854775808]", "[0,0]")})))[0].shape(),
      IoError);
}

TEST(Safetensors, KnowsEveryType) {
  const std::vector<std::pair<const char*, int>> types = {
      {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
      {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
      {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
      {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
      {"I64", 64},        {"U64", 64}};
  ASSERT_EQ(types.size(), static_cast<size_t>(kStoredTypes));
  for (const auto& [dtype, width] : types) {
    const int bytes = width;  // of eight elements
    const std::string bytes_text =
        file_of(header_of({member("a", dtype, "[2,4]", "[0," + std::to_string(bytes) + "]")}),
                std::string(static_cast<size_t>(bytes), 'x'));
    const SafetensorsFile file = parse(bytes_text);
    ASSERT_EQ(file.size(), 1U) << dtype;
    EXPECT_STREQ(name(file[0].type), dtype);
    EXPECT_EQ(bits(file[0].type), width);
    EXPECT_EQ(file[0].bytes, static_cast<uint64_t>(bytes));
    EXPECT_EQ(file[0].shape(), (Shape{2, 4}));
  }
}

TEST(Safetensors, ReadsNamesAndData) {
  const std::string bytes =
      file_of(header_of({R"("__metadata__":{"k":"v"})", member("z", "F64", "[1]", "[1,9]"),
                         member("q\\\"\\u00e9\\ud83d\\ude00", "BOOL", "[4]", "[9,13]"),
                         member("a", "U8", "[1]", "[0,1]")}),
              std::string("x12345678\x00\x01\x02\xFF", 13));
  const SafetensorsFile file = parse(bytes);
  ASSERT_EQ(file.size(), 3U);
  EXPECT_EQ(file[0].name, "a");
  EXPECT_EQ(file[1].name, "q\"\xC3\xA9\xF0\x9F\x98\x80");
  EXPECT_EQ(file[2].name, "z");
  EXPECT_EQ(file.find("z"), 2U);
  EXPECT_EQ(file.find("q\"\xC3\xA9\xF0\x9F\x98\x80"), 1U);
  EXPECT_EQ(file.find("b"), std::nullopt);
  EXPECT_EQ(file.metadata("k"), "v");
  const std::vector<std::byte> z = file.read(2);
  EXPECT_EQ(std::memcmp(z.data(), "12345678", 8), 0);
  EXPECT_EQ(file.read(1),
            (std::vector<std::byte>{std::byte{0}, std::byte{1}, std::byte{1}, std::byte{1}}));
  std::vector<std::byte> small(7);
  EXPECT_THROW(file.read(2, small), IoError);
  EXPECT_THROW(file[3], IndexError);
  EXPECT_THROW(file.read(3), IndexError);
}

class SafetensorsFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "adjoint-st-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }
  std::string path(const std::string& name) const { return root_ + "/" + name; }

  std::string root_;
};

TEST_F(SafetensorsFiles, GoldenBytes) {
  write_safetensors(path("empty"), {});
  EXPECT_EQ(io::read_text(path("empty")), little_endian(8) + "{}      ");
  write_safetensors(path("meta"), {}, {{"framework", "pt"}});
  EXPECT_EQ(io::read_text(path("meta")),
            little_endian(40) + R"({"__metadata__":{"framework":"pt"}})" + "     ");
  const float x[] = {1.5F, -2};
  const int64_t n[] = {7};
  const bool flags[] = {true, false, true};
  const std::vector<SafetensorsData> tensors = {{"flags", StoredType::boolean, {3}, flags},
                                                {"b", StoredType::f32, {2, 1}, x},
                                                {"a\"\n", StoredType::f32, {}, x + 1},
                                                {"n", StoredType::i64, {1}, n},
                                                {"none", StoredType::f64, {0, 5}, nullptr}};
  write_safetensors(path("t"), tensors, {{"z", "1"}, {"format", "pt"}});
  const std::string header = R"({"__metadata__":{"format":"pt","z":"1"},)"
                             R"("n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
                             R"("none":{"dtype":"F64","shape":[0,5],"data_offsets":[8,8]},)"
                             R"("a\"\n":{"dtype":"F32","shape":[],"data_offsets":[8,12]},)"
                             R"("b":{"dtype":"F32","shape":[2,1],"data_offsets":[12,20]},)"
                             R"("flags":{"dtype":"BOOL","shape":[3],"data_offsets":[20,23]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  EXPECT_EQ(
      io::read_text(path("t")),
      file_of(padded,
              std::string(
                  "\x07\0\0\0\0\0\0\0\x00\x00\x00\xC0\x00\x00\xC0\x3F\x00\x00\x00\xC0\1\0\1", 23)));
}

TEST_F(SafetensorsFiles, RefusesToWriteWhatCannotBeRead) {
  const float x[] = {1};
  const auto write = [&](std::vector<SafetensorsData> tensors, SafetensorsMetadata metadata = {}) {
    write_safetensors(path("x"), tensors, metadata);
  };
  EXPECT_THROW(write({{"a", StoredType::f32, {1}, x}, {"a", StoredType::i64, {0}, x}}), IoError);
  EXPECT_THROW(write({{"__metadata__", StoredType::f32, {1}, x}}), IoError);
  EXPECT_THROW(write({{"\xFF", StoredType::f32, {1}, x}}), IoError);
  EXPECT_THROW(write({{"a", StoredType::f32, {-1}, x}}), IoError);
  EXPECT_THROW(write({{"a", StoredType::f4, {3}, x}}), IoError);
  EXPECT_THROW(write({{"a", StoredType::f32, {INT64_MAX, INT64_MAX}, x}}), IoError);
  EXPECT_THROW(write({}, {{"a", "\xFF"}}), IoError);
  EXPECT_TRUE(fs::is_empty(root_));
}

TEST_F(SafetensorsFiles, TensorsComeBackBitForBit) {
  const Tensor base = from_vector<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  const std::map<std::string, Tensor> tensors = {
      {"f32", from_vector<float>({0.1F, -0.0F, std::numeric_limits<float>::quiet_NaN(), 1e-45F})},
      {"f64", tensor<double>({0.1, 5e-324})},
      {"bf16", tensor<double>({0.1, -0.0, HUGE_VAL, 1e-40}).to(DType::bf16)},
      {"f16", tensor<double>({0.1, -0.0, HUGE_VAL, 1e-7}).to(DType::f16)},
      {"i32", from_vector<int32_t>({INT32_MIN, INT32_MAX})},
      {"u8", from_vector<uint8_t>({0, 255})},
      {"i64", from_vector<int64_t>({INT64_MIN, INT64_MAX}, {2, 1})},
      {"scalar", scalar(2.5)},
      {"empty", zeros({0, 3}, DType::f64)},
      {"transposed", base.transpose(0, 1)},
      {"bool", from_vector<int64_t>({1, 0, 1}).to(DType::boolean)}};
  save_safetensors(path("a"), tensors, {{"format", "pt"}});
  const auto loaded = load_safetensors(path("a"));
  ASSERT_EQ(loaded.size(), tensors.size());
  for (const auto& [key, tensor] : tensors) {
    const Tensor& back = loaded.at(key);
    EXPECT_EQ(back.dtype(), tensor.dtype()) << key;
    ASSERT_EQ(back.shape(), tensor.shape()) << key;
    const Tensor packed = tensor.contiguous();
    const size_t bytes = static_cast<size_t>(tensor.numel()) * element_size(tensor.dtype());
    EXPECT_EQ(bytes == 0 ? 0 : std::memcmp(back.raw_data(), packed.raw_data(), bytes), 0) << key;
  }
  EXPECT_EQ(loaded.at("transposed").to_vector<float>(), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  save_safetensors(path("b"), loaded, {{"format", "pt"}});
  EXPECT_EQ(io::read_text(path("a")), io::read_text(path("b")));
  EXPECT_EQ(SafetensorsFile::open(path("a")).metadata("format"), "pt");
  EXPECT_THROW(save_safetensors(path("c"), {{"none", Tensor()}}), Error);
}

TEST_F(SafetensorsFiles, TensorsOfOtherTypesAreNamed) {
  io::write_file_atomic(path("a"), file_of(header_of({member("w", "U16", "[1]", "[0,2]")}), "xy"));
  try {
    load_safetensors(path("a"));
    FAIL();
  } catch (const IoError& error) {
    EXPECT_EQ(
        std::string(error.what()),
        path("a") +
            ": tensor \"w\": of type U16; expected F32, F64, BF16, F16, I64, I32, U8 or BOOL");
  }
}

TEST_F(SafetensorsFiles, SizesBesideAZeroAreBounded) {
  for (const char* shape : {"[0,4611686018427387904,4611686018427387904]",
                            "[0,9223372036854775807]", "[0,18446744073709551615]"}) {
    const std::string bytes = file_of(header_of({member("w", "F32", shape, "[0,0]")}));
    EXPECT_EQ(error_of(bytes), "") << shape;
    EXPECT_THROW(load_safetensors(parse(bytes)), IoError) << shape;
  }
}

TEST_F(SafetensorsFiles, FilesThatShrinkOrAreNoneAreErrors) {
  save_safetensors(path("a"), {{"x", ones({1000})}});
  const SafetensorsFile file = SafetensorsFile::open(path("a"));
  fs::resize_file(path("a"), 1000);
  EXPECT_THROW(file.read(0), IoError);
  EXPECT_THROW(SafetensorsFile::open(path("a")), IoError);
  EXPECT_THROW(SafetensorsFile::open(path("none")), IoError);
  EXPECT_THROW(SafetensorsFile::open(root_), IoError);
  EXPECT_THROW(SafetensorsFile::open("/dev/null"), IoError);
}

TEST_F(SafetensorsFiles, EveryCutIsAnError) {
  save_safetensors(path("a"), {{"x", ones({3})}, {"y", ones({2}, DType::i64)}}, {{"k", "v"}});
  const std::string whole = io::read_text(path("a"));
  EXPECT_EQ(error_of(whole), "");
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(error_of(whole.substr(0, size)), "") << size;
  }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

// A number of KiB from the status of this process.
int64_t status_kib(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return std::atoll(line.c_str() + key.size() + 1);
  }
  return -1;
}

// What f needs in a process of its own, in bytes above what was there.
template <class F>
int64_t peak_of(F f) {
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  const pid_t child = ::fork();
  if (child == 0) {
    std::ofstream("/proc/self/clear_refs") << "5";
    const int64_t before = status_kib("VmRSS");
    f();
    const int64_t used = (status_kib("VmHWM") - before) * 1024;
    ::_exit(::write(ends[1], &used, sizeof(used)) == sizeof(used) ? 0 : 1);
  }
  ::close(ends[1]);
  int64_t used = -1;
  if (::read(ends[0], &used, sizeof(used)) != sizeof(used)) used = -1;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return used;
}

TEST_F(SafetensorsFiles, HostileHeadersStayWithinTheMemoryBound) {
  if (kSanitized) GTEST_SKIP() << "sanitizers keep memory of their own";
  constexpr size_t kSize = size_t{24} << 20;
  std::map<std::string, std::string> files;
  std::string& tensors = files["tensors"];
  for (int i = 0; tensors.size() < kSize; ++i) {
    tensors += i == 0 ? "{" : ",";
    tensors += member(std::to_string(i), "U8", "[0]", "[0,0]");
  }
  tensors += "}";
  files["metadata"] = R"({"__metadata__":{"":"")" + repeat(R"(,"":"")", kSize / 6) + "}}";
  files["dims"] = header_of({member("a", "U8", "[0" + repeat(",0", kSize / 2) + "]", "[0,0]")});
  files["name"] = header_of({member(repeat("\\n", kSize / 2), "U8", "[0]", "[0,0]")});
  files["nested"] = one_with("\"x\":[0" + repeat(",[]", kSize / 3) + "]");
  files["unclosed"] = repeat("{\"a\":", kSize / 5);
  for (auto& [key, header] : files) {
    const std::string file = path(key);
    const std::string bytes = file_of(header, key == "nested" ? "x" : "");
    std::ofstream(file, std::ios::binary) << bytes;
    const auto bound = static_cast<int64_t>(2 * bytes.size() + (16U << 20));
    const int64_t used = peak_of([&] {
      try {
        const SafetensorsFile opened = SafetensorsFile::open(file);
        opened.metadata("k");
        load_safetensors(opened);
      } catch (const IoError&) {}
    });
    ASSERT_GE(used, 0) << key;
    EXPECT_LE(used, bound) << key << ": " << used / 1048576 << " MiB for a file of "
                           << bytes.size() / 1048576;
  }
}

}  // namespace
}  // namespace adjoint
