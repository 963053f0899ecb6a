#include <adjoint/core/json.h>
#include <gtest/gtest.h>

#include <bit>
#include <clocale>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace adjoint {
namespace {

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

std::string error_of(std::string_view text, std::string_view source = "json") {
  try {
    Json::parse(text, source);
  } catch (const IoError& error) {
    return error.what();
  }
  return "";
}

// By the categories of the JSON test suite: what every reader must take.
TEST(Json, TakesWhatTheStandardTakes) {
  const std::vector<std::string> texts = {
      "null",
      "true",
      "false",
      "0",
      "-0",
      "-1",
      "123",
      "1E22",
      "1e-2",
      "1e+2",
      "0e1",
      "0e+1",
      "1.5",
      "-0.0",
      "123.456e78",
      "20e1",
      "1E-2",
      "0.1e1",
      "-0.000000000000000000000000000000000000000000000000000000000000000000000000000001",
      "123123e-10000000",
      "0e99999999999999999999",
      "1e-400",
      "5e-324",
      "1.7976931348623157e308",
      "9223372036854775807",
      "-9223372036854775808",
      "9223372036854775808",
      "18446744073709551615",
      "18446744073709551616",
      "-9223372036854775809",
      "[]",
      "{}",
      "[[]   ]",
      "[\"\"]",
      "[1 ]",
      "\r\n\t [] \n",
      "[1,null,null,null,2]",
      "[\"a\"]",
      "[ \"a\", 1.5 , {\"b\" : [ ] } ]",
      "\"\"",
      "\"asd\"",
      "\"\\u0060\\u012a\\u12AB\"",
      "\"\\uD801\\udc37\"",
      "\"\\ud83d\\ude39\\ud83d\\udc8d\"",
      "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
      "\"\\\\u0000\"",
      "\"\\\\\\\"\"",
      "\"a/*b*/c/*d//e\"",
      "\"\\u0000\"",
      "\"\\u0012\"",
      "\"\\uFFFF\"",
      "\"\\uDBFF\\uDFFF\"",
      "\"\xF4\x8F\xBF\xBF\"",
      "\"\xEF\xBF\xBF\"",
      "\"\xED\x9F\xBF\"",
      "\"\xEE\x80\x80\"",
      "\"\xC2\x80\"",
      "\"\x7F\"",
      "\"\xE2\x80\xA8\"",
      "\"\\u2028\"",
      "{\"\":0}",
      "{\"a\":[]}",
      "{\"foo\\u0000bar\":42}",
      "{\"min\": -1.0e+28, \"max\": 1.0e+28}",
      "{\"a\":\"b\",\"A\":\"b\"}",
      "{\n\"a\":\n\"b\"\n}",
      repeat("[", 128) + repeat("]", 128),
      repeat("{\"a\":", 127) + "{}" + repeat("}", 127),
  };
  for (const std::string& text : texts) {
    EXPECT_EQ(error_of(text), "") << text;
    if (error_of(text).empty()) {
      const Json value = Json::parse(text);
      EXPECT_EQ(Json::parse(value.dump()), value) << text;
      EXPECT_EQ(Json::parse(value.dump(2)), value) << text;
    }
  }
}

TEST(Json, RefusesWhatTheStandardRefuses) {
  const std::vector<std::string> texts = {
      // structure
      "",
      " ",
      "[",
      "]",
      "{",
      "}",
      "[1",
      "[1,",
      "[1,]",
      "[,1]",
      "[1,,2]",
      "[,]",
      "[1}",
      "{1}",
      "[1 true]",
      "[\"a\" \"b\"]",
      "[1]x",
      "[1]]",
      "[][]",
      "1 2",
      "{\"a\"}",
      "{\"a\":}",
      "{\"a\":1,}",
      "{,\"a\":1}",
      "{\"a\":1,,\"b\":2}",
      "{\"a\" 1}",
      "{\"a\"::1}",
      "{a:1}",
      "{'a':1}",
      "{1:1}",
      "{\"a\":1 \"b\":2}",
      "{\"a\":1",
      "{\"a\":1]",
      "{\"a\"",
      "{\"a",
      "{null:null}",
      "[\"a\",4,1,",
      "{\"a\":\"b\"}/**/",
      "//x\n1",
      "[1]//",
      "/**/1",
      "<null>",
      "[\x0c]",
      "[\xE2\x81\xA0]",
      "\xC2\xA0"
      "1",
      repeat("[", 129) + repeat("]", 129),
      repeat("[", 100000),
      repeat("{\"a\":", 129) + "1",
      repeat("[{\"a\":", 100000),
      // numbers
      "+1",
      "++1",
      "-",
      "--1",
      "-foo",
      "01",
      "-01",
      "00",
      "0x1",
      "0x",
      "1.",
      "-1.",
      ".1",
      "-.1",
      "1.e1",
      "1e",
      "1e+",
      "1e-",
      "1eE2",
      "1e1.5",
      "0e",
      "0.e1",
      "0.1.2",
      "1 000",
      "1_000",
      "1f",
      "1L",
      "NaN",
      "-NaN",
      "nan",
      "Infinity",
      "-Infinity",
      "inf",
      "1e999",
      "-1e999",
      "1e309",
      "1.7976931348623159e308",
      "1e99999999999999999999",
      "0.1e400",
      "1" + repeat("0", 400),
      "\xEF\xBC\x91",
      "1\xEF\xBC\x91",
      "- 1",
      "1e 1",
      // literals
      "nul",
      "truth",
      "tru",
      "fals",
      "True",
      "NULL",
      "nulll",
      "undefined",
      // strings
      "\"",
      "\"a",
      "\"\\\"",
      "\"\\",
      "'a'",
      "\"\n\"",
      "\"\t\"",
      "\"\x01\"",
      std::string("\"\0\"", 3),
      "\"\x1f\"",
      "\"\\a\"",
      "\"\\x00\"",
      "\"\\U0041\"",
      "\"\\'\"",
      "\"\\\xC3\xA9\"",
      "\"\\u\"",
      "\"\\u1\"",
      "\"\\u12\"",
      "\"\\u123\"",
      "\"\\u12G4\"",
      "\"\\u 123\"",
      "\"\\u-123\"",
      "\"\\u00A",
      "\"\\ud800\"",
      "\"\\udc00\"",
      "\"\\ud800\\u0041\"",
      "\"\\ud800\\ud800\"",
      "\"\\ud800x\"",
      "\"\\udc00\\ud800\"",
      "\"\\ud800\\udc0\"",
      "\"\\ud800\\",
      // UTF-8
      "\"\xFF\"",
      "\"\x80\"",
      "\"\xC0\x80\"",
      "\"\xC1\xBF\"",
      "\"\xC3\"",
      "\"\xE0\x80\x80\"",
      "\"\xE0\x9F\xBF\"",
      "\"\xE2\x82\"",
      "\"\xED\xA0\x80\"",
      "\"\xED\xBF\xBF\"",
      "\"\xF0\x80\x80\x80\"",
      "\"\xF0\x8F\xBF\xBF\"",
      "\"\xF4\x90\x80\x80\"",
      "\"\xF5\x80\x80\x80\"",
      "\"\xF8\x88\x80\x80\x80\"",
      "\"\xF0\x9F\x98\"",
      "\"\xF0\x9F\x98",
      "{\"\xFF\":1}",
      "\xEF\xBB\xBF{}",
      "\xFF\xFE[\x00",
      std::string("1\0", 2),
      std::string("\0", 1),
      // keys that come twice
      "{\"a\":1,\"a\":1}",
      "{\"a\":1,\"b\":2,\"\\u0061\":3}",
      "[{\"x\":{\"\":1,\"\":2}}]",
  };
  for (const std::string& text : texts) {
    const std::string error = error_of(text);
    EXPECT_TRUE(error.starts_with("json: ")) << text << " -> " << error;
  }
}

TEST(Json, ErrorsSayWhereAndWhat) {
  EXPECT_EQ(error_of("{\n  \"a\": 1\n  \"b\": 2\n}", "config.json"),
            "config.json: 3:3: expected ',' or '}' after the value; found '\"'");
  EXPECT_EQ(error_of("[1, 2"),
            "json: 1:6: expected ',' or ']' after the value; found the end of the text");
  EXPECT_EQ(error_of("[\"\xC3\xA9\", x]"), "json: 1:7: expected a value; found 'x'");
  EXPECT_EQ(error_of("{\"a\":1,\"b\":2,\"a\":3}"),
            "json: 1:1: in the object that starts here, a key that comes twice: \"a\"");
  EXPECT_EQ(error_of("\xEF\xBB\xBF{}"),
            "json: 1:1: a byte order mark; expected a JSON value without one");
  EXPECT_EQ(error_of("1e999"), "json: 1:1: a number too large for a double");
  EXPECT_EQ(error_of("[\"\\ud800\"]"),
            "json: 1:3: a lone surrogate; expected a pair such as \\ud83d\\ude00");
  EXPECT_EQ(error_of("\"\n\""),
            "json: 1:2: a control character in a string: 0x0a; expected it as \\u000a");
  EXPECT_EQ(error_of("[1,]"), "json: 1:4: expected a value; found ']'");
}

TEST(Json, KeepsIntegersExact) {
  EXPECT_EQ(Json::parse("9007199254740993").get<int64_t>(), 9007199254740993);
  EXPECT_EQ(Json::parse("-9223372036854775808").get<int64_t>(), INT64_MIN);
  EXPECT_EQ(Json::parse("18446744073709551615").get<uint64_t>(), UINT64_MAX);
  EXPECT_EQ(Json(UINT64_MAX).dump(), "18446744073709551615");
  EXPECT_EQ(Json(INT64_MIN).dump(), "-9223372036854775808");
  EXPECT_EQ(Json::parse("18446744073709551616").type(), Json::Type::real);
  EXPECT_EQ(Json::parse("18446744073709551616").get<double>(), 18446744073709551616.0);
  EXPECT_TRUE(Json::parse("1").is_integer());
  EXPECT_FALSE(Json::parse("1.0").is_integer());
  EXPECT_FALSE(Json::parse("1e0").is_integer());
  EXPECT_TRUE(std::signbit(Json::parse("-0").get<double>()));
  EXPECT_EQ(Json(uint64_t{7}), Json(7));
  EXPECT_FALSE(Json(1) == Json(1.0));
}

TEST(Json, WritesDoublesThatReadBackToTheSameBits) {
  uint64_t bits = 88172645463325252U;
  for (int i = 0; i < 20000; ++i) {
    bits ^= bits << 13;
    bits ^= bits >> 7;
    bits ^= bits << 17;
    const double value = std::bit_cast<double>(bits);
    if (!std::isfinite(value)) continue;
    const double back = Json::parse(Json(value).dump()).get<double>();
    ASSERT_EQ(std::bit_cast<uint64_t>(back), bits) << Json(value).dump();
  }
  EXPECT_EQ(Json(0.1).dump(), "0.1");
  EXPECT_EQ(Json(3.0).dump(), "3.0");
  EXPECT_EQ(Json(-0.0).dump(), "-0.0");
  EXPECT_EQ(Json(1e22).dump(), "1e+22");
  EXPECT_EQ(Json(5e-324).dump(), "5e-324");
  EXPECT_EQ(Json(std::numeric_limits<double>::max()).dump(), "1.7976931348623157e+308");
  EXPECT_EQ(Json(3e-4).dump(), "3e-04");
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    EXPECT_THROW(Json(bad).dump(), IoError);
  }
}

TEST(Json, WritesStringsThatOthersRead) {
  EXPECT_EQ(Json("a\"\\\b\f\n\r\t\x01\x1f/\x7f\xC3\xA9").dump(),
            "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f/\x7f\xC3\xA9\"");
  EXPECT_EQ(Json::parse("\"\\ud83d\\ude00\"").get<std::string>(), "\xF0\x9F\x98\x80");
  EXPECT_EQ(Json::parse("\"\\u00e9\\u20ac\\u0000x\"").get<std::string>(),
            std::string("\xC3\xA9\xE2\x82\xAC\0x", 7));
  EXPECT_THROW(Json("\xFF").dump(), IoError);
  EXPECT_THROW(Json::object({{"\xC3", 1}}).dump(), IoError);
}

TEST(Json, BuildsAndKeepsTheOrder) {
  Json j = Json::object({{"z", 1}, {"a", Json::array({1, 2.5, "x", nullptr, true})}});
  j["m"]["deep"] = "value";
  j["list"].push_back(1);
  j["list"].push_back(Json::object());
  j["z"] = 2;
  j["sizes"] = std::vector<int64_t>{3, 4};
  EXPECT_EQ(
      j.dump(),
      R"({"z":2,"a":[1,2.5,"x",null,true],"m":{"deep":"value"},"list":[1,{}],"sizes":[3,4]})");
  EXPECT_EQ(Json::object({{"a", 1}, {"b", Json::array({Json::array(), 2})}}).dump(2),
            "{\n  \"a\": 1,\n  \"b\": [\n    [],\n    2\n  ]\n}");
  EXPECT_TRUE(j.erase("a"));
  EXPECT_FALSE(j.erase("a"));
  EXPECT_EQ(j.members()[1].first, "m");
  EXPECT_TRUE(j.contains("m"));
  EXPECT_FALSE(j.contains("a"));
  EXPECT_EQ(j, Json::parse(R"({"sizes":[3,4],"list":[1,{}],"m":{"deep":"value"},"z":2})"));
  EXPECT_THROW(Json::object({{"a", 1}, {"a", 2}}), IoError);
  EXPECT_THROW(Json(1)["a"], IoError);
  EXPECT_THROW(Json("x").push_back(1), IoError);
  EXPECT_THROW(Json(1).members(), IoError);
}

TEST(Json, CopiesAreIndependent) {
  Json a = Json::object({{"x", Json::array({1, 2})}});
  Json b = a;
  b["x"].elements()[0] = 5;
  EXPECT_EQ(a.get<int>("x", 0), 1);
  EXPECT_EQ(b.get<int>("x", 0), 5);
  a = a.at("x");
  EXPECT_EQ(a.dump(), "[1,2]");
}

TEST(Json, GettersNameThePath) {
  const Json j = Json::parse(
      R"({"optimizer": {"lr": "fast", "betas": [0.9, 0.99], "big": 300, "minus": -1, "no": null}})",
      "config.json");
  const auto message = [](const auto& f) -> std::string {
    try {
      f();
    } catch (const IoError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message([&] { j.get<double>("optimizer", "lr"); }),
            "config.json: optimizer.lr: expected a number; found a string \"fast\"");
  EXPECT_EQ(message([&] { j.get<double>("optimizer", "weight_decay"); }),
            "config.json: optimizer.weight_decay: missing; expected such a member");
  EXPECT_EQ(message([&] { j.get<double>("optimizer", "betas", 2); }),
            "config.json: optimizer.betas[2]: missing; expected so many elements");
  EXPECT_EQ(message([&] { j.get<int>("optimizer", "betas", 0); }),
            "config.json: optimizer.betas[0]: expected an integer; found a number 0.9");
  EXPECT_EQ(message([&] { j.get<uint8_t>("optimizer", "big"); }),
            "config.json: optimizer.big: expected an integer from 0 to 255; found an integer 300");
  EXPECT_EQ(message([&] { j.get<uint64_t>("optimizer", "minus"); }),
            "config.json: optimizer.minus: expected an integer from 0 to 18446744073709551615; "
            "found an integer -1");
  EXPECT_EQ(message([&] { j.get<int>("optimizer", "lr", "x"); }),
            "config.json: optimizer.lr: expected an object; found a string \"fast\"");
  EXPECT_EQ(message([&] { Json(1).get<bool>(); }),
            "json: expected true or false; found an integer 1");
  EXPECT_EQ(j.get<std::vector<double>>("optimizer", "betas"), (std::vector<double>{0.9, 0.99}));
  EXPECT_EQ(j.get<double>("optimizer", "big"), 300.0);
  EXPECT_EQ(j.get<std::optional<int>>("optimizer", "no"), std::nullopt);
  EXPECT_EQ(j.get_or<int>(5, "optimizer", "missing"), 5);
  EXPECT_EQ(j.get_or<int>(5, "optimizer", "big"), 300);
  EXPECT_THROW(j.get_or<int>(5, "optimizer", "lr"), IoError);
  EXPECT_EQ(j.at("optimizer", "betas").size(), 2U);
}

TEST(Json, FindsKeysOfLargeObjects) {
  Json built;
  std::string text = "{";
  for (int i = 0; i < 5000; ++i) {
    const std::string key = std::string("k").append(std::to_string((i * 7919) % 5000));
    built[key] = i;
    text.append(i == 0 ? "\"" : ",\"").append(key).append("\":").append(std::to_string(i));
  }
  const Json read = Json::parse(text + "}");
  EXPECT_EQ(read, built);
  EXPECT_EQ(read.dump(), text + "}");
  for (int i = 0; i < 5000; i += 7) {
    const std::string key = std::string("k").append(std::to_string((i * 7919) % 5000));
    EXPECT_EQ(read.get<int>(key), i);
    EXPECT_EQ(built.get<int>(key), i);
  }
  EXPECT_EQ(read.find("k5000"), nullptr);
  EXPECT_NE(error_of(text + ",\"k17\":0}").find("twice: \"k17\""), std::string::npos);
  EXPECT_TRUE(built.erase("k17"));
  EXPECT_FALSE(built.contains("k17"));
  EXPECT_TRUE(built.contains("k18"));
}

TEST(Json, DoesNotDependOnTheLocale) {
  const char* const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
  bool set = false;
  for (const char* name : names) set = set || std::setlocale(LC_ALL, name) != nullptr;
  EXPECT_EQ(Json::parse("[1.5]").dump(), "[1.5]");
  std::setlocale(LC_ALL, "C");
  if (!set) GTEST_SKIP() << "no locale with a decimal comma on this machine: tested in C only";
}

}  // namespace
}  // namespace adjoint
