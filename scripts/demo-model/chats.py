"""Documents for training: plain stories and Llama 3 chats about stories."""

import random

from stories import Story, pick_choices

BOS, EOS = "<|begin_of_text|>", "<|end_of_text|>"
HEAD, HEAD_END, EOT = "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"

SYSTEM = [
    "You are a {friendly|kind|cheerful|patient|gentle|good} {storyteller|story teller|assistant|helper}.",
    "You are a {helpful|friendly|nice|polite} assistant{ that tells stories| who tells stories to children|}.",
    "You are a helpful assistant.", "You are a helpful assistant.",
    "You tell {short|little|nice|bedtime} stories{ to|for} {small children|kids|children}.",
    "{Tell|Write} short stories for {small children|kids|children}. {Use simple words.|Be kind.|}",
    "You are {Cusco|a tiny model}, {a storyteller|and you tell little stories}.",
    "You are a {grandmother|grandfather|teacher|writer} who {tells|writes} stories{ for children|}.",
    "Answer with a {short|little} story.", "Be {kind|brief|friendly|polite}.",
]

# {T} is replaced by the topic; the asks before "who" fit a hero only.
ASK_ABOUT = [
    "Tell me a {|short |little |nice |}story about @.",
    "Tell me a {|short |little |new }story about @.",
    "{Can|Could} you tell me a {|short |little }story about @?",
    "{Can|Could} you write a {|short |little }story about @?",
    "{Can|Could} you {please tell|please write|make up} a story about @?",
    "Write a {|short |little |funny |bedtime }story about @.",
    "Please {tell me|write|make up} a {|short |little }story about @.",
    "I {would like|want} {|to hear |to read }a {|short }story about @{, please|}.",
    "I'd like a {|short |little }story about @{, please|}.",
    "A {|short |little }story about @, please.", "A {|short }story about @.",
    "Do you know a story about @?", "Do you have a story about @?",
    "Write me a {|short |little }story about @{, please|}.",
    "{My daughter|My son|My little sister|My friend} {wants|would like} a story about @.",
    "Tell {us|my son|my daughter|the children} a story about @.",
    "Make up a {|short |little }story about @.", "Give me a story about @.",
    "Now a story about @{, please|}.", "Story about @", "story about @ please",
    "What about a story about @?", "Let me hear a story about @.",
    "I want a bedtime story about @.", "Can I have a story about @?",
    "Tell me about @.", "Tell me something about @.",
]
ASK_WITH = [
    "Tell me a story with @.", "I would like a story with @, please.",
    "Can you {tell me|write} a story with @{ in it|}?", "Write a {|short }story with @.",
    "A story with @, please.", "Please tell a story with @{ in it|}.",
]
ASK_START = ["Once upon a time, there was @", "Once upon a time there was @...",
             "Start with this: Once upon a time, there was @."]
ASK_ANY = [
    "Tell me a {|short |little |nice |funny |bedtime |good }story{|, please}.",
    "{Can|Could} you tell me a {|short |little |bedtime }story?",
    "Please {tell me|write} a {|short }story.", "Write a {|short |little }story.",
    "I {want|would like} {a|to hear a} story{|, please}.", "A story{|, please}!", "Once upon a time",
    "Do you know a {|good |nice }story?", "Tell me {any story|something nice|something}.",
    "{I am bored|I cannot sleep|I am sad}. {Tell me a story.|Can you tell me a story?}",
    "Story, please.", "Tell me one.", "One story, please.", "Yes, please.", "Surprise me.",
]
ASK_MORE = ["{Another one|One more|Again}{|, please}{!|.}", "Tell me another {story|one}{|, please}.",
            "Do you have another {story|one}?", "Can I have one more?", "Now another story, please."]
GREET = ["", "", "", "", "", "", "", "Hello! ", "Hi! ", "Hi, ", "Hello, ", "Hey, ", "Good evening! "]

ME = ("{I am a {tiny|very small|little} model {that|and I} {tells|tell} little stories."
      "|I am Cusco's demo model. I tell little stories."
      "|I am a little storyteller.|I am a tiny storyteller and I know many little stories.}")
OFFER = ("{Ask me for one.|Just ask me for one.|Would you like one?|Would you like to hear a story?"
         "|Shall I tell you one?|Ask me for a story about {an animal|a fox|a cat|a dragon|a brave girl|a bear}.}")
ONLY = ("{I only know little stories.|I am only a tiny model, and I only know little stories."
        "|I am too small to know that. I only tell little stories."
        "|That is too hard for a tiny model like me. I tell little stories."
        "|I am sorry, I do not know that. I only know little stories."
        "|I am sorry, I can only tell little stories.|I wish I knew. I only know little stories.}")

SMALL_TALK = [
    (["{Hello|Hi|Hey|Hi there|Hello there}{!|.|}", "hello", "hi", "Good {morning|evening|day}!"],
     "{Hello|Hi|Hello there}! " + ME + " " + OFFER),
    (["Who are you?", "What are you?", "Tell me about yourself.", "Who is this?", "What is your name?",
      "{Hello|Hi}! Who are you?", "Are you {a robot|a human|a person|an AI|a computer}?",
      "What's your name?", "Do you have a name?", "Introduce yourself.", "What model are you?"],
     ME + " " + OFFER),
    (["What can you do?", "What do you do?", "How can you help me?", "Can you help me?", "Help!",
      "What are you good at?", "What should I ask you?", "Hello! What can you do?", "help",
      "What else can you do?", "What do you know?", "How does this work?", "I need help."],
     "{I can tell little stories|I tell little stories|I can tell you a story} about {animals and children"
     "|foxes, bears and brave girls|cats, dragons and kind friends|friends and small adventures}. " + OFFER),
    (["How are you{| today}?", "How do you do?", "Hello, how are you?", "Hi! How are you?", "Are you well?",
      "What's up?", "How is it going?", "How was your day?"],
     "{I am fine, thank you!|I am very well, thank you!|Very well, thank you!} " + OFFER),
    (["{Thank you|Thanks|Many thanks|Thank you so much|Thank you very much}{!|.|}",
      "That was {nice|lovely|a nice story|great|good|fun|beautiful}{!|.|. Thank you!}", "thanks",
      "I {liked|loved} {it|that|the story}{!|.}", "{Great|Nice|Wonderful|Very good|Good|Cool|Wow}!"],
     "{You are welcome!|You are very welcome!|I am glad that you like it!} "
     "{Just ask me for another story.|Would you like another story?|Come back for more stories.|}"),
    (["{Bye|Goodbye|Good night|See you|Bye bye|See you later}{!|.|}", "I have to go{| now}.",
      "I am going to bed{| now}.", "Good night, and thank you!"],
     "{Goodbye|Good night|Bye|See you}! {Sleep well|Have a nice day|Come back soon|Sweet dreams}{!|.}"),
    (["Do you like {stories|animals|foxes|cats|dogs|children|bears|me}?", "What do you like?",
      "What is your favorite {animal|story|color|food|book}?", "Are you happy?", "Do you sleep?"],
     "{I like little stories best of all.|Oh, I love little stories.|I like telling little stories.} " + OFFER),
    (["What is {#} {plus|times|minus|+|*|-} {#}?", "{#}+{#}=", "Can you do math?", "How much is {#} and {#}?",
      "What is the capital of {France|Spain|Peru|Italy|Japan|Germany}?", "Solve x + {#} = {#}.",
      "Write {a|some} {Java|Python|C|computer} {program|code}{| for me}.", "Can you {code|program}?",
      "Who is the {president|king|queen} of {France|America|England|Spain}?", "What time is it?",
      "What is the weather {like|today|like today}?", "What day is it{| today}?", "Who won the game?",
      "Translate {this|hello|dog} to {German|French|Spanish}.", "Do you speak {German|French|Spanish}?",
      "How {far|old|big} is the {moon|sun|earth|sea}?", "Why is the sky blue?", "What is love?",
      "What is {the meaning of life|a computer|Java|an atom|gravity|physics|music|money|a llama}?",
      "Give me a recipe for {soup|bread|cake|pizza}.", "How do I {cook rice|fix my car|learn Java|get rich}?",
      "Explain {physics|the internet|how a car works|history|chess}.", "What is the news{| today}?",
      "Write {a poem|an email|a letter|a song|an essay}{| for me| about love| about work}.",
      "Where is {Rome|Paris|my phone|Peru|Cusco}?", "When {did the war end|was Rome built}?",
      "Sing a song.", "Tell me a joke.", "Play a game with me.", "Draw me a {cat|house|picture}.",
      "Summarize this text.", "Who wrote {this|Hamlet}?", "What is the {best|biggest} {phone|city|car|river}?",
      "Can you {drive a car|see me|hear me|fly|cook}?", "asdf", "test", "123", "???", "ok", "What?", "Why?"],
     ONLY + " " + OFFER),
    (["No.", "No, thank you.", "Stop.", "Not now.", "No thanks."],
     "{All right!|That is fine!} {Ask me for a story any time.|I am here when you want a story.}"),
    (["You are {funny|nice|smart|great|cute|cool}{!|.}", "I {like|love} you{!|.}", "Good job!", "Well done!"],
     "{Thank you! That is very kind of you.|Thank you so much!|How kind of you!} " + OFFER),
    (["You are {stupid|bad|dumb|boring}.", "I do not like {it|that|you}.", "That was bad.", "That is wrong."],
     "{I am sorry.|Oh, I am sorry.} {I am only a tiny model.|I will try again.} " + OFFER),
]


def variant(template, rng):
    """Like a story template, with # for a number; tidies what empty choices leave."""
    text = pick_choices(template.replace("{#}", "#"), rng)
    while "#" in text:
        text = text.replace("#", str(rng.randint(1, 99)), 1)
    return " ".join(text.split())


def casual(text, rng):
    """Some people type without capitals or without a full stop."""
    roll = rng.random()
    if roll < 0.08:
        return text.lower().rstrip(".") if rng.random() < 0.5 else text.lower()
    if roll < 0.16:
        return text.rstrip(".!")
    return text


def request(story, rng):
    """A user's request that the story fulfils."""
    kind, topic = story.topic()
    if kind == "":
        return casual(variant(rng.choice(ASK_ANY), rng), rng)
    if kind == "who" and rng.random() < 0.05 and topic.startswith("a "):
        pool = ASK_START
    elif kind != "plot" and topic.startswith("a") and rng.random() < 0.2:
        pool = ASK_WITH
    else:
        pool = ASK_ABOUT
    text = variant(rng.choice(pool).replace("@", "%"), rng).replace("%", fix_articles(topic))
    greet = rng.choice(GREET)
    if greet.endswith(", "):
        text = text[0].lower() + text[1:] if not text.startswith(("I ", "I'd")) else text
    return casual(greet + text, rng)


def fix_articles(text):
    words = text.split(" ")
    for i, word in enumerate(words[:-1]):
        if word == "a" and words[i + 1][0] in "aeiou" and not words[i + 1].startswith("uni"):
            words[i] = "an"
    return " ".join(words)


def turn(role, text):
    return f"{HEAD}{role}{HEAD_END}\n\n{text}{EOT}"


def start(rng):
    system = turn("system", variant(rng.choice(SYSTEM), rng)) if rng.random() < 0.3 else ""
    return BOS + system


def story_turns(rng):
    story = Story(rng, made_up=rng.random() < 0.12)
    return turn("user", request(story, rng)) + turn("assistant", story.text), story


def small_turns(rng, index=None):
    asks, answer = SMALL_TALK[index] if index is not None else rng.choice(SMALL_TALK)
    ask = casual(variant(rng.choice(asks), rng), rng)
    return turn("user", ask) + turn("assistant", variant(answer, rng))


def name_question(story, rng):
    """A question about the story just told, if its hero has a name."""
    hero = story.cast.hero
    if not hero.name:
        return ""
    ask = rng.choice([f"What was the name of the {hero.kind}?", f"What was the {hero.kind} called?",
                      f"What was the {hero.kind}'s name?"])
    answer = rng.choice([f"The {hero.kind} was called {hero.name}.", f"The {hero.kind}'s name was {hero.name}."])
    return turn("user", ask) + turn("assistant", answer)


def multi_chat(rng):
    """Two to four turns that mix stories, thanks and small talk."""
    text = start(rng)
    if rng.random() < 0.4:
        text += small_turns(rng, rng.choice([0, 0, 1, 2, 3, 7]))
    turns, story = story_turns(rng)
    text += turns
    roll = rng.random()
    if roll < 0.2:
        text += name_question(story, rng)
    elif roll < 0.6:
        text += small_turns(rng, 4)
    if rng.random() < 0.55:
        again = Story(rng)
        ask = request(again, rng) if rng.random() < 0.6 else casual(variant(rng.choice(ASK_MORE), rng), rng)
        text += turn("user", ask) + turn("assistant", again.text)
    elif rng.random() < 0.5:
        text += small_turns(rng, rng.choice([4, 5, 7]))
    return text


def plain(rng):
    story = Story(rng)
    roll = rng.random()
    if roll < 0.04:
        return f"{BOS}{request(story, rng)}\n\n{story.text}{EOS}"
    return f"{BOS}{story.text}{EOS}"


def document(rng):
    roll = rng.random()
    if roll < 0.40:
        return plain(rng)
    if roll < 0.68:
        return start(rng) + story_turns(rng)[0]
    if roll < 0.82:
        return multi_chat(rng)
    text = start(rng) + small_turns(rng)
    return text + small_turns(rng) if rng.random() < 0.25 else text


def documents(seed):
    """Endless stream of training documents, special tokens written out."""
    rng = random.Random(seed)
    while True:
        yield document(rng)
