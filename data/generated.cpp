#include <adjoint/core/error.h>
#include <adjoint/core/random.h>
#include <adjoint/data/generated.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <set>
#include <span>

namespace adjoint::data {
namespace {

using Words = std::vector<std::string_view>;

std::string_view pick(std::span<const std::string_view> words, Generator& generator) {
  return words[generator.next_below(words.size())];
}

// A template with what its letters in braces stand for.
std::string fill(std::string_view sentence, const std::function<std::string_view(char)>& word_for) {
  std::string text;
  for (size_t i = 0; i < sentence.size(); ++i) {
    if (sentence[i] == '{') {
      text += word_for(sentence[i + 1]);
      i += 2;
    } else {
      text += sentence[i];
    }
  }
  return text;
}

// --- running text ---

// Who, what they do to what, and where it happens: each row speaks of its own things.
struct Scene {
  Words who, what, things, places;
};

const std::vector<Scene>& scenes() {
  static const std::vector<Scene> all = {
      {{"the fisherman", "her brother", "an old sailor"},
       {"mends", "washes", "sells"},
       {"the nets", "a small boat", "three ropes"},
       {"by the harbour", "near the sea", "on the beach"}},
      {{"the baker", "my aunt", "a young cook"},
       {"bakes", "tastes", "brings"},
       {"the bread", "an apple pie", "two cakes"},
       {"in the kitchen", "before breakfast", "at the market"}},
      {{"the farmer", "our neighbour", "a tall girl"},
       {"feeds", "counts", "calls"},
       {"the sheep", "a brown horse", "seven geese"},
       {"in the meadow", "behind the barn", "at dawn"}},
      {{"the teacher", "a quiet boy", "the whole class"},
       {"reads", "copies", "learns"},
       {"the poem", "a long letter", "ten new words"},
       {"at school", "after lunch", "under the clock"}},
  };
  return all;
}

std::string sentence(const Scene& scene, Generator& generator) {
  static const Words forms = {"{w} {v} {t} {p}.", "{p}, {w} {v} {t}.", "{w} never {v} {t}.",
                              "when it rains, {w} {v} {t} {p}.",
                              "{w} {v} {t}, and then goes home."};
  std::string text = fill(pick(forms, generator), [&](char kind) {
    switch (kind) {
      case 'w':
        return pick(scene.who, generator);
      case 'v':
        return pick(scene.what, generator);
      case 't':
        return pick(scene.things, generator);
      default:
        return pick(scene.places, generator);
    }
  });
  text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

// --- opinions ---

const Words& judging(bool positive) {
  static const Words good = {"wonderful", "brilliant", "lovely",  "clever", "charming",
                             "moving",    "funny",     "perfect", "bright", "great"};
  static const Words bad = {"terrible", "boring", "awful", "dull",   "clumsy",
                            "tedious",  "stupid", "ugly",  "feeble", "bad"};
  return positive ? good : bad;
}

// {n}: a thing; {a}: a word of this opinion; {z}: one of the other.
const Words& opinions(bool held_out) {
  static const Words known = {"the {n} was {a}",
                              "the {n} was really {a}",
                              "the {n} was not {z}",
                              "the {n} was never {z}",
                              "what a {a} {n}",
                              "not a {z} {n} at all",
                              "i found the {n} {a}",
                              "i did not find the {n} {z}",
                              "the {n} was {z} , but the {n} was {a}",
                              "the {n} was not {a} , but the {n} was {a}",
                              "nobody would call this {n} {z}",
                              "everybody would call this {n} {a}",
                              "a {a} {n} and a {a} {n}"};
  static const Words other = {
      "this {n} was {a}",          "i found the {n} really {a}",
      "this was not a {z} {n}",    "the {n} was {z} , but the {n} was never {z}",
      "i never found the {n} {z}", "nobody would find the {n} {z}"};
  return held_out ? other : known;
}

const Words& judged(bool held_out) {
  static const Words known = {"film",  "plot",  "book",  "ending",   "cast",
                              "story", "music", "scene", "dialogue", "costume"};
  static const Words other = {"opera", "novel", "actor", "camera"};
  return held_out ? other : known;
}

// --- pairs ---

constexpr std::array<const char*, 20> kSmall = {
    "zero",     "one",     "two",     "three",     "four",     "five",    "six",
    "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array<const char*, 10> kTens = {"",      "",      "twenty",  "thirty", "forty",
                                               "fifty", "sixty", "seventy", "eighty", "ninety"};

// Of as many digits as any number of the range, so that short ones are not rare.
int64_t some_number(int64_t most_digits, Generator& generator) {
  uint64_t bound = 10;
  for (uint64_t n = generator.next_below(static_cast<uint64_t>(most_digits)); n > 0; --n) {
    bound *= 10;
  }
  return static_cast<int64_t>(generator.next_below(bound));
}

TextPair number_pair(Generator& generator) {
  // Most numbers are long: there are not enough short ones to learn from.
  const int64_t number = generator.next_below(4) == 0
                             ? some_number(5, generator)
                             : static_cast<int64_t>(generator.next_below(1'000'000));
  return {std::to_string(number), number_in_words(number)};
}

TextPair date_pair(Generator& generator) {
  static constexpr std::array<const char*, 12> kMonths = {
      "January", "February", "March",     "April",   "May",      "June",
      "July",    "August",   "September", "October", "November", "December"};
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const size_t month = generator.next_below(12);
  const auto year = static_cast<int>(1900 + generator.next_below(200));
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  const int days = kDays[month] + (month == 1 && leap ? 1 : 0);
  const auto day = static_cast<int>(1 + generator.next_below(static_cast<uint64_t>(days)));
  const auto number = static_cast<int>(month + 1);
  const char* name = kMonths[month];
  char source[64], target[32];
  switch (generator.next_below(4)) {
    case 0:
      std::snprintf(source, sizeof(source), "%s %d, %d", name, day, year);
      break;
    case 1:
      std::snprintf(source, sizeof(source), "%d %.3s %d", day, name, year);
      break;
    case 2:
      std::snprintf(source, sizeof(source), "%02d.%02d.%d", day, number, year);
      break;
    default:
      std::snprintf(source, sizeof(source), "%d %s %d", day, name, year);
      break;
  }
  std::snprintf(target, sizeof(target), "%04d-%02d-%02d", year, number, day);
  return {source, target};
}

TextPair sorting_pair(Generator& generator) {
  std::vector<int64_t> numbers(2 + generator.next_below(5));
  for (int64_t& number : numbers) number = static_cast<int64_t>(generator.next_below(100));
  const auto joined = [&] {
    std::string text;
    for (const int64_t number : numbers) text += (text.empty() ? "" : " ") + std::to_string(number);
    return text;
  };
  std::string source = joined();
  std::sort(numbers.begin(), numbers.end());
  return {std::move(source), joined()};
}

TextPair addition_pair(Generator& generator) {
  const int64_t a = some_number(4, generator), b = some_number(4, generator);
  return {std::to_string(a) + "+" + std::to_string(b), std::to_string(a + b)};
}

struct PairTask {
  const char* name;
  TextPair (*make)(Generator& generator);
};
constexpr std::array<PairTask, 4> kPairTasks = {{{"numbers", number_pair},
                                                 {"dates", date_pair},
                                                 {"sorting", sorting_pair},
                                                 {"addition", addition_pair}}};

}  // namespace

std::string generated_text(size_t bytes, uint64_t seed) {
  Generator generator(seed);
  std::string text;
  while (text.size() < bytes) {
    const Scene& scene = scenes()[generator.next_below(scenes().size())];
    for (uint64_t left = 2 + generator.next_below(4); left > 0; --left) {
      text += sentence(scene, generator) + (left > 1 ? " " : "\n");
    }
  }
  return text;
}

std::vector<LabelledText> generated_opinions(int64_t count, uint64_t seed, bool held_out) {
  Generator generator(seed, held_out ? uint64_t{1} << 40 : 0);
  std::vector<LabelledText> texts;
  for (int64_t i = 0; i < count; ++i) {
    const bool positive = generator.next_below(2) == 0;
    std::string text = fill(pick(opinions(held_out), generator), [&](char kind) {
      if (kind == 'n') return pick(judged(held_out), generator);
      return pick(judging(positive == (kind == 'a')), generator);
    });
    texts.push_back({std::move(text), positive ? "positive" : "negative"});
  }
  return texts;
}

const std::vector<std::string>& pair_tasks() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    all.reserve(kPairTasks.size());
    for (const PairTask& task : kPairTasks) all.emplace_back(task.name);
    return all;
  }();
  return names;
}

std::vector<TextPair> generated_pairs(std::string_view task, int64_t count, uint64_t seed) {
  const auto* found = std::find_if(kPairTasks.begin(), kPairTasks.end(),
                                   [&](const PairTask& known) { return known.name == task; });
  check<ConfigError>(found != kPairTasks.end(), "generated_pairs: no task \"", task,
                     "\"; expected numbers, dates, sorting or addition");
  check<ConfigError>(count >= 1 && count <= 250'000, "generated_pairs: count is ", count,
                     "; expected a value between 1 and 250000");
  Generator generator(seed);
  std::set<std::string> seen;
  std::vector<TextPair> pairs;
  while (static_cast<int64_t>(pairs.size()) < count) {
    TextPair pair = found->make(generator);
    if (seen.insert(pair.source).second) pairs.push_back(std::move(pair));
  }
  return pairs;
}

std::string number_in_words(int64_t number) {
  check<ConfigError>(number >= 0 && number < 1'000'000, "number_in_words: ", number,
                     "; expected 0 to 999999");
  if (number < 20) return kSmall[static_cast<size_t>(number)];
  const auto with_rest = [](std::string words, int64_t rest, const char* between) {
    return rest == 0 ? words : words + between + number_in_words(rest);
  };
  if (number < 100) return with_rest(kTens[static_cast<size_t>(number / 10)], number % 10, "-");
  if (number < 1000) {
    return with_rest(number_in_words(number / 100) + " hundred", number % 100, " ");
  }
  return with_rest(number_in_words(number / 1000) + " thousand", number % 1000, " ");
}

}  // namespace adjoint::data
