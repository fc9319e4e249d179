"""Word lists for the story generator. All of it is written for this project."""

# Everything that can be the hero or a friend on land. Gender is chosen per story.
ANIMALS = """fox rabbit bear mouse cat dog kitten puppy squirrel hedgehog owl duck frog
turtle pig lamb goat pony horse cow hen goose sparrow robin bluebird crow parrot penguin
elephant lion tiger monkey giraffe zebra hippo panda koala kangaroo wolf deer beaver otter
badger mole raccoon skunk bat snail bee butterfly ladybug ant spider cricket lizard
llama alpaca condor hamster crocodile ostrich eagle rat moose gorilla cheetah peacock
turkey pigeon snake sloth platypus iguana crane donkey sheep chick rooster swan camel rhino bunny piglet worm caterpillar firefly""".split()

SEA_ANIMALS = """fish whale dolphin octopus seal crab seahorse starfish shark
jellyfish walrus lobster mermaid""".split()

# Storybook people and creatures; the value is the gender, "" means either.
FOLK = {
    "princess": "f", "prince": "m", "knight": "", "king": "m", "queen": "f",
    "pirate": "", "fairy": "f", "dragon": "", "unicorn": "", "robot": "",
    "giant": "", "wizard": "m", "witch": "f", "elf": "", "gnome": "m",
    "snowman": "m", "farmer": "", "monster": "", "ghost": "", "troll": "",
    "dinosaur": "", "baker": "", "painter": "", "astronaut": "",
}

GIRLS = """Mia Lily Emma Anna Lucy Ella Rosie Nina Zoe Clara Molly Ruby Daisy Ivy Sara
Maya Leah Nora Amy Bella Chloe Eva Grace Hanna Holly Iris Jane Julia Kate Lena Lola Luna
Maria Marta Millie Olive Penny Poppy Sofia Sophie Tara Tess Violet Wendy Alice Amelia
Ada Betty Carmen Dora Elsa Fiona Gina Greta Heidi Ines Jenny Kira Lila Mina Nelly Olga
Paula Rita Rosa Sally Tina Una Vera Willa Yara Zara""".split()

BOYS = """Tom Ben Max Leo Sam Tim Jack Noah Oliver Finn Theo Hugo Oscar Felix Henry
Adam Alex Arlo Bobby Charlie Dan David Eli Ethan Frank Fred George Harry Ian Jake James
Jim Joe John Jonas Kai Lars Leon Liam Louis Luca Luke Mark Martin Milo Nick Otto Paul
Peter Pablo Ravi Rob Rory Simon Tommy Toby Victor Will Zack Anton Basil Bruno Carlos Diego
Emil Gus Ivan Jasper Kofi Omar""".split()

# Pet-like names; they fit animals and creatures of both genders.
PETS = """Pip Coco Biscuit Button Pepper Bubbles Fluffy Sunny Nutmeg Pebble Ginger Hazel
Clover Bramble Maple Acorn Dot Tilly Bingo Patch Rusty Sandy Snowy Spot Cookie Muffin
Peanut Pickle Waffle Ziggy Scout Socks Smokey Honey Misty Moss Twig Juniper Barnaby
Tiptoe Whiskers Mimi Lulu Bobo Dodo Kiki Nibbles Plum Pumpkin Marble Sparky Rex Fern
Sprout Tango Wink Zuzu Benny Oakley""".split()

# Syllables of made-up names and creatures: to copy a word that it has never seen, the
# model must learn to copy instead of choosing from a list.
ONSETS = "b d f g k l m n p r s t v z br gr kl pl tr sh ch".split()
VOWELS = "a e i o u a e i o oo ee".split()
CODAS = ["", "", "", "", "n", "l", "x", "m", "r", "s", "t", "nk"]

TRAITS = """brave kind shy clever curious cheerful gentle happy hungry lonely lazy proud
playful quiet silly friendly careful sleepy busy helpful""".split()

SIZES = ["little", "little", "little", "small", "young", "tiny"]
# A "tiny giant" or "young king" sounds wrong, so these take other words.
BIG_KINDS = {"giant", "king", "queen", "monster", "troll", "wizard", "farmer", "baker",
             "painter", "astronaut", "knight", "pirate", "witch"}
BIG_SIZES = ["kind", "gentle", "merry", "good", "funny"]

HOMES = [
    "in a quiet green forest", "at the edge of a big forest", "in a small village",
    "in a cozy house by the sea", "near a wide blue river", "at the foot of a tall mountain",
    "on a sunny farm", "in a valley full of flowers", "in a little house on a hill",
    "beside a calm lake", "in an old stone castle", "under a big oak tree",
    "in a town with red roofs", "near a deep dark wood", "on a small island",
    "in a garden behind an old wall", "in a warm little den", "next to a windmill",
    "in a land far away", "in a meadow full of clover", "at the end of a long road",
    "in a house with a blue door",
]
SEA_HOMES = [
    "in the warm blue sea", "near a bright coral reef", "at the bottom of the sea",
    "in a quiet bay", "close to a small island", "in a cave under the waves",
    "among the tall sea plants", "near a sunken ship",
]

# Places as phrases, so that they fit after both "looked" and "met".
SPOTS = [
    "under the old bridge", "behind the tall grass", "inside a hollow log",
    "beside the pond", "on top of the hill", "under the apple tree", "by the garden gate",
    "near the well", "behind the barn", "under a pile of leaves", "next to the stream",
    "in the tall grass", "behind a big rock", "under the berry bush", "by the mill",
    "at the edge of the wood", "near the stone wall", "under the bench",
    "between two tall trees", "beside the road", "near the windmill", "in the flower bed",
]
SEA_SPOTS = [
    "behind a big shell", "inside the sunken ship", "under a flat rock",
    "between the sea plants", "near the coral reef", "in a dark cave", "on the soft sand",
    "beside a sleepy clam", "under an old anchor", "behind a tall rock",
]

OBJECTS = [(adj, noun) for noun, adjs in {
    "kite": "red blue yellow", "ball": "red blue shiny striped", "hat": "green straw blue tall",
    "scarf": "red warm woolen yellow", "drum": "little tin red", "bell": "silver tiny golden",
    "boat": "wooden paper little", "lantern": "brass paper small", "button": "gold shiny blue",
    "spoon": "wooden silver", "flute": "wooden silver", "book": "blue thick old",
    "whistle": "tin silver", "basket": "round brown", "blanket": "soft blue warm",
    "balloon": "red green yellow", "umbrella": "yellow red striped", "ring": "gold silver",
    "marble": "glass green blue", "feather": "white long golden", "crown": "paper golden",
    "cup": "blue tin", "box": "wooden painted", "teddy bear": "old brown soft",
    "coin": "gold old", "paintbrush": "long new", "toy train": "red wooden",
    "mitten": "red woolen", "map": "old", "stone": "smooth white round",
    "bike": "red new", "guitar": "little old", "cape": "red long", "mirror": "round little",
    "pencil": "yellow long", "doll": "rag wooden", "clock": "old little",
}.items() for adj in adjs.split()]
SEA_OBJECTS = [(adj, noun) for noun, adjs in {
    "pearl": "white shiny pink", "shell": "pink spiral golden", "bell": "silver tiny",
    "bottle": "green glass", "ring": "gold silver", "stone": "smooth white blue",
    "coin": "gold old", "necklace": "shell pearl", "spoon": "silver", "crown": "coral golden",
}.items() for adj in adjs.split()]

HOBBIES = [
    "sing", "dance in the rain", "count the clouds", "read old books", "climb trees",
    "paint pictures", "play hide and seek", "collect smooth stones", "make new friends",
    "tell jokes", "sleep in the sun", "look at the stars", "splash in puddles",
    "help in the garden", "bake bread", "ask questions", "jump over little streams",
    "listen to the birds", "draw funny faces", "watch the sun come up", "run in the meadow",
    "whistle happy songs", "hunt for treasure", "build little houses", "smell the flowers",
]
SEA_HOBBIES = [
    "sing", "chase bubbles", "collect shells", "make new friends", "tell jokes",
    "ask questions", "watch the ships go by", "play hide and seek", "swim in circles",
    "look at the stars", "dance with the waves", "hunt for treasure",
]

# Time phrase and a sentence on the weather that agrees with it ("" is none).
TIMES = [
    ("one sunny morning", "The sky was blue and the birds were singing."),
    ("one sunny day", "The sun was warm and bright."),
    ("one bright spring morning", "Small green leaves were on every tree."),
    ("one warm summer day", "Bees hummed in the clover."),
    ("one windy afternoon", "The wind pushed the clouds across the sky."),
    ("one cold autumn day", "Red and yellow leaves covered the ground."),
    ("one foggy morning", "The fog was so thick that the hills were hidden."),
    ("one rainy morning", "The rain went drip, drop, drip on the roof."),
    ("one gray day", "Big soft clouds hung in the sky."),
    ("one frosty morning", "White frost sparkled on the grass."),
    ("one day", ""), ("one day", ""), ("one day", ""), ("one morning", ""),
    ("one afternoon", ""), ("one evening", "The sky was pink and gold."),
    ("early one morning", "The grass was still wet with dew."), ("on Monday morning", ""),
    ("one fine day", "A soft wind was blowing."), ("one quiet afternoon", ""),
]
SEA_TIMES = [
    ("one sunny morning", "The water was bright and clear."),
    ("one day", ""), ("one day", ""), ("one morning", ""), ("one afternoon", ""),
    ("one calm evening", "The waves were soft and slow."),
    ("one stormy day", "High waves rolled over the sea."),
    ("one warm summer day", "The sun danced on the waves."),
]

FOODS = ["bread", "apple pie", "honey cake", "cheese", "carrot cake", "nut bread",
         "corn bread", "berry tart", "pumpkin pie", "plum cake", "chocolate cake"]
FRUITS = ["berries", "apples", "cookies", "plums", "cherries", "nuts", "pears",
          "strawberries", "pancakes", "grapes", "muffins", "candies"]
DISHES = ["vegetable soup", "an apple pie", "a pot of soup", "a birthday cake",
          "a berry pie", "a huge pizza", "a carrot cake", "sweet porridge", "mushroom soup"]
# "too much X" needs words without a plural, "a bag of X" does not.
SOFT_INGREDIENTS = ["salt", "butter", "sugar", "honey", "flour", "cinnamon", "pepper"]
INGREDIENTS = ["carrots", "onions", "eggs", "potatoes", "apples", "beans", "lemons", "nuts",
               "mushrooms", "tomatoes"]

# What one can fear, and the advice of the helper.
FEARS = [
    ("the dark", ["Look at the stars, and the dark will be your friend.",
                  "Hold a little lamp and say hello to the night."]),
    ("thunder", ["Thunder is only the clouds playing drums. Drum along with them.",
                 "Count from the flash to the boom, and you will be calm."]),
    ("deep water", ["Put in one foot, and then the other, and go slowly.",
                    "Let the water carry you like a leaf."]),
    ("high places", ["Do not look down. Look at where you want to go.",
                     "Go up one small step each day."]),
    ("big dogs", ["Stand still, speak softly, and wait for a wagging tail.",
                  "Even a big dog likes a kind word."]),
    ("new places", ["Take something you love with you, and look for one nice thing.",
                    "Every place is new only once."]),
    ("speaking to others", ["Just say one word. The word is hello.",
                            "Smile first, and the words will come."]),
    ("monsters under the bed", ["Look under the bed with a lamp and say good night.",
                                "Give your monster a funny name."]),
    ("the wind", ["Open your arms and play that you can fly.",
                  "Listen, for the wind is only singing."]),
]
SKILLS = ["swim", "dance", "whistle", "sing", "juggle", "paint", "read", "cook", "play the flute",
          "ride a bike", "skate", "fly a kite", "climb trees", "play the drum", "write"]
BUILDS = ["a boat", "a tree house", "a small house", "a bridge", "a sled", "a windmill",
          "a flying machine", "a raft", "a tower", "a cart", "a swing", "a rocket"]
BREAKABLES = ["a blue vase", "the big window", "a tall lamp", "the old clock", "a flower pot",
              "the best cup", "the white teapot", "a round mirror"]
BIG_ONES = ["dragon", "giant", "troll", "monster", "bear", "wolf", "lion", "dinosaur"]
MAGIC_THINGS = ["shell", "stone", "ring", "bottle", "lamp", "coin", "pearl", "button"]
TOYS = ["robot", "train", "car", "truck", "teddy bear", "doll", "ship", "rocking horse"]
# Requests may be about anything, so now and then a thing is the hero.
THING_HEROES = """cloud star teapot spoon train car tree leaf pumpkin flower snowflake tractor
bus ship lamp sock shoe pencil raindrop bicycle truck plane cup chair candle bell rocket
clock cookie carrot potato sunflower toy stone shadow river mountain tower broom""".split()

# (kind, gender) of wise helpers; the adjective comes from HELPER_ADJ.
HELPERS = [("owl", ""), ("turtle", ""), ("woman", "f"), ("man", "m"), ("goat", ""),
           ("badger", ""), ("crow", ""), ("shepherd", "m"), ("gardener", ""), ("toad", ""),
           ("grandmother", "f"), ("stork", ""), ("fisherman", "m"), ("donkey", "")]
SEA_HELPERS = [("turtle", ""), ("crab", ""), ("whale", ""), ("walrus", ""), ("octopus", ""),
               ("sea snail", "")]
HELPER_ADJ = ["old", "old", "wise old", "kind old", "gray old", "friendly old"]

RELATIVES = [("mother", "f"), ("father", "m"), ("grandmother", "f"), ("grandfather", "m"),
             ("sister", "f"), ("brother", "m"), ("aunt", "f"), ("uncle", "m")]
