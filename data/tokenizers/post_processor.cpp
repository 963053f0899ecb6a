#include "data/tokenizers/post_processor.h"

#include <adjoint/core/error.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "data/tokenizers/unicode.h"
#include "data/tokenizers/vocabulary.h"

namespace adjoint::data {
namespace {

void set_type(Encoding& encoding, int32_t type) {
  std::fill(encoding.type_ids.begin(), encoding.type_ids.end(), type);
}

// Pieces in order: a text, or special tokens.
class Template : public PostProcessor {
 public:
  struct Item {
    int text = -1;           // 0 or 1; otherwise
    std::vector<Token> ids;  // these
    int32_t type = 0;
  };

  Template(std::vector<Item> single, std::vector<Item> pair)
      : items_{std::move(single), std::move(pair)} {}

  int64_t count_around(bool pair) const override {
    int64_t count = 0;
    for (const Item& item : items_[pair ? 1 : 0]) count += static_cast<int64_t>(item.ids.size());
    return count;
  }

  void process(std::vector<Encoding>& encodings, bool add) const override {
    std::vector<Encoding> texts = std::exchange(encodings, {});
    Encoding whole;
    for (const Item& item : items_[texts.size() > 1 ? 1 : 0]) {
      if (item.text >= 0) {
        Encoding& text = texts[static_cast<size_t>(item.text)];
        set_type(text, item.type);
        append(whole, text);
      } else if (add) {
        for (const Token id : item.ids) append_special(whole, id, item.type);
      }
    }
    encodings.push_back(std::move(whole));
  }

 private:
  std::vector<Item> items_[2];
};

std::vector<Template::Item> read_items(const Json& json, const Json& specials, int texts) {
  std::vector<Template::Item> items;
  std::vector<bool> seen(2);
  for (const Json& element : json.elements()) {
    Template::Item item;
    if (element.contains("Sequence")) {
      const auto id = element.get<std::string>("Sequence", "id");
      check_file(id == "A" || (id == "B" && texts == 2), "a template names the text \"", id, "\"");
      item.text = id == "A" ? 0 : 1;
      check_file(!seen[static_cast<size_t>(item.text)], "a template names a text twice");
      seen[static_cast<size_t>(item.text)] = true;
      item.type = element.get<int32_t>("Sequence", "type_id");
    } else {
      const auto id = element.get<std::string>("SpecialToken", "id");
      item.ids = specials.get<std::vector<Token>>(id, "ids");
      item.type = element.get<int32_t>("SpecialToken", "type_id");
    }
    items.push_back(std::move(item));
  }
  return items;
}

std::unique_ptr<PostProcessor> read_template(const Json& json) {
  const Json& specials = json.at("special_tokens");
  return std::make_unique<Template>(read_items(json.at("single"), specials, 1),
                                    read_items(json.at("pair"), specials, 2));
}

std::unique_ptr<PostProcessor> read_bert(const Json& json) {
  using Item = Template::Item;
  const Item cls{-1, {json.get<Token>("cls", 1)}, 0};
  const Token sep = json.get<Token>("sep", 1);
  const Item first{0, {}, 0}, second{1, {}, 1};
  const std::vector<Item> single = {cls, first, {-1, {sep}, 0}};
  std::vector<Item> pair = single;
  pair.push_back(second);
  pair.push_back({-1, {sep}, 1});
  return std::make_unique<Template>(single, pair);
}

// Offsets without the spaces that belong to the tokens.
class TrimOffsets : public PostProcessor {
 public:
  explicit TrimOffsets(bool prefix_space) : prefix_space_(prefix_space) {}

  int64_t count_around(bool) const override { return 0; }
  void process(std::vector<Encoding>&, bool) const override {}
  bool trims() const override { return true; }

  void trim(std::string_view token, std::string_view text, bool first,
            TextRange& range) const override {
    int64_t leading = 0, trailing = 0;  // characters
    for (size_t at = 0; at < token.size(); ++leading) {
      const Scalar scalar = scalar_at(token, at);
      if (!is_space(scalar.value)) break;
      at += scalar.length;
    }
    for (size_t end = token.size(); end > 0; ++trailing) {
      const Scalar scalar = scalar_before(token, end);
      if (!is_space(scalar.value)) break;
      end -= scalar.length;
    }
    // The first one is what was put before the text.
    if (leading > 0 && prefix_space_ && (first || range.begin == 0)) --leading;
    for (; leading > 0 && range.begin < range.end; --leading) {
      range.begin += scalar_at(text, static_cast<size_t>(range.begin)).length;
    }
    int64_t end = range.end;
    for (; trailing > 0 && end > 0; --trailing) {
      end -= scalar_before(text, static_cast<size_t>(end)).length;
    }
    if (trailing == 0) range.end = std::max(end, range.begin);
  }

 private:
  // Byte-level vocabularies have U+0120 for a blank.
  static bool is_space(uint32_t scalar) {
    return scalar == 0x120 || (flags_of(scalar) & kSpace) != 0;
  }

  bool prefix_space_;
};

class Roberta : public PostProcessor {
 public:
  explicit Roberta(const Json& json)
      : cls_(json.get<Token>("cls", 1)), sep_(json.get<Token>("sep", 1)) {
    if (json.get_or<bool>(true, "trim_offsets")) {
      trim_ = std::make_unique<TrimOffsets>(json.get_or<bool>(true, "add_prefix_space"));
    }
  }

  int64_t count_around(bool pair) const override { return pair ? 4 : 2; }

  bool trims() const override { return trim_ != nullptr; }
  void trim(std::string_view token, std::string_view text, bool first,
            TextRange& range) const override {
    if (trim_) trim_->trim(token, text, first, range);
  }

  // All types are 0.
  void process(std::vector<Encoding>& encodings, bool add) const override {
    for (size_t i = 0; i < encodings.size(); ++i) {
      set_type(encodings[i], 0);
      if (!add) continue;
      Encoding whole;
      append_special(whole, i == 0 ? cls_ : sep_, 0);
      append(whole, encodings[i]);
      append_special(whole, sep_, 0);
      encodings[i] = std::move(whole);
    }
  }

 private:
  Token cls_, sep_;
  std::unique_ptr<TrimOffsets> trim_;
};

class Sequence : public PostProcessor {
 public:
  explicit Sequence(std::vector<std::unique_ptr<PostProcessor>> parts) : parts_(std::move(parts)) {}
  int64_t count_around(bool pair) const override {
    int64_t count = 0;
    for (const auto& part : parts_) count += part->count_around(pair);
    return count;
  }
  void process(std::vector<Encoding>& encodings, bool add) const override {
    for (const auto& part : parts_) part->process(encodings, add);
  }
  bool trims() const override {
    return std::any_of(parts_.begin(), parts_.end(),
                       [](const auto& part) { return part->trims(); });
  }
  void trim(std::string_view token, std::string_view text, bool first,
            TextRange& range) const override {
    for (const auto& part : parts_) part->trim(token, text, first, range);
  }

 private:
  std::vector<std::unique_ptr<PostProcessor>> parts_;
};

}  // namespace

void append_special(Encoding& encoding, Token id, int32_t type) {
  encoding.ids.push_back(id);
  encoding.offsets.push_back({0, 0});
  encoding.attention_mask.push_back(1);
  encoding.special_tokens_mask.push_back(1);
  encoding.type_ids.push_back(type);
}

void append(Encoding& encoding, const Encoding& more) {
  const auto behind = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  behind(encoding.ids, more.ids);
  behind(encoding.offsets, more.offsets);
  behind(encoding.attention_mask, more.attention_mask);
  behind(encoding.special_tokens_mask, more.special_tokens_mask);
  behind(encoding.type_ids, more.type_ids);
}

std::unique_ptr<PostProcessor> read_post_processor(const Json& json) {
  if (json.is_null()) return nullptr;
  const auto type = json.get<std::string>("type");
  if (type == "TemplateProcessing") return read_template(json);
  if (type == "BertProcessing") return read_bert(json);
  if (type == "RobertaProcessing") return std::make_unique<Roberta>(json);
  if (type == "ByteLevel") {
    if (!json.get_or<bool>(true, "trim_offsets")) {
      return std::make_unique<Sequence>(std::vector<std::unique_ptr<PostProcessor>>());
    }
    return std::make_unique<TrimOffsets>(json.get_or<bool>(true, "add_prefix_space"));
  }
  check_file(type == "Sequence", "the post_processor is \"", type,
             "\"; this program knows BertProcessing, ByteLevel, RobertaProcessing, Sequence and "
             "TemplateProcessing");
  std::vector<std::unique_ptr<PostProcessor>> parts;
  bool joins = false;
  for (const Json& part : json.at("processors").elements()) {
    check_file(part.is_object(), "a post_processor in a Sequence is no object");
    parts.push_back(read_post_processor(part));
    check_file(!joins, "a Sequence of post_processors goes on behind a template");
    joins = part.get<std::string>("type") != "ByteLevel";
  }
  return std::make_unique<Sequence>(std::move(parts));
}

Json template_json(const std::string& single, const std::string& pair,
                   const std::function<std::optional<Token>(std::string_view)>& id_of) {
  Json specials = Json::object();
  const auto items = [&](const std::string& text) {
    Json all = Json::array();
    std::istringstream words(text);
    for (std::string word; words >> word;) {
      int32_t type = 0;
      const size_t colon = word.rfind(':');
      if (colon != word.npos && colon + 2 == word.size() && word[colon + 1] >= '0' &&
          word[colon + 1] <= '9') {
        type = word[colon + 1] - '0';
        word.resize(colon);
      }
      if (word == "$A" || word == "$B") {
        all.push_back(Json::object(
            {{"Sequence", Json::object({{"id", word.substr(1)}, {"type_id", type}})}}));
        continue;
      }
      const std::optional<Token> id = id_of(word);
      check<ConfigError>(id.has_value(), "template: the token \"", word,
                         "\" is not in the vocabulary");
      specials[word] = Json::object(
          {{"id", word}, {"ids", Json::array({*id})}, {"tokens", Json::array({word})}});
      all.push_back(
          Json::object({{"SpecialToken", Json::object({{"id", word}, {"type_id", type}})}}));
    }
    return all;
  };
  Json first = items(single), second = items(pair);
  return Json::object({{"type", "TemplateProcessing"},
                       {"single", std::move(first)},
                       {"pair", std::move(second)},
                       {"special_tokens", std::move(specials)}});
}

}  // namespace adjoint::data
